import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'puppeteer-core';
import type { BrowserName } from './launch-browser.ts';
import { SCREENSHOTS } from './provision-screenshots.ts';

/** A desktop and a phone, in CSS pixels. */
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;

/** The elements that reach beyond the right edge of the window. An element that scrolls or clips its contents hides theirs. */
const TOO_WIDE = `(() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return [];
  const wide = [...document.querySelectorAll('body *')]
    .filter((one) => one.getBoundingClientRect().right > clientWidth + 0.5)
    .map((one) => one.cloneNode(false).outerHTML.slice(0, 150));
  return ['the page is ' + scrollWidth + ' px wide', ...wide.slice(0, 5)];
})()`;

interface AxeResults {
  readonly passes: readonly unknown[];
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly target: unknown; readonly failureSummary?: string }[];
  }[];
}

/**
 * Takes screenshots of what a page shows now, at both sizes, light and dark, as
 * `test-results/screenshots/<name>-<width>-<scheme>-<browser>.png`. At each of them the page must not scroll sideways. In
 * Chromium, axe-core must find nothing wrong on the wide light page and on the narrow dark one, which is each size and each
 * scheme. Firefox has no dark screenshots: its driver cannot choose a color scheme.
 * `top` is a selector of the element that stands at the top of the window; by default the page stays where it is.
 *
 * @throws Error that lists every fault of every screenshot
 */
export async function checkLook(page: Page, browser: BrowserName, name: string, top?: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const before = page.viewport();
  // Defines `axe` in the page.
  if (browser === 'chrome') await page.evaluate(axe.source);
  const faults: string[] = [];
  for (const size of SIZES) {
    await page.setViewport(size);
    for (const scheme of browser === 'chrome' ? ['light', 'dark'] : ['light']) {
      const where = `${name}-${size.width}-${scheme}-${browser}.png`;
      if (browser === 'chrome')
        await page.emulateMediaFeatures([
          { name: 'prefers-color-scheme', value: scheme },
          // axe-core would judge the colors in the middle of a transition.
          { name: 'prefers-reduced-motion', value: 'reduce' },
        ]);
      if (top !== undefined)
        await page.evaluate(`document.querySelector(${JSON.stringify(top)}).scrollIntoView()`);
      await page.screenshot({ path: join(SCREENSHOTS, where) });
      const found = (await page.evaluate(TOO_WIDE)) as string[];
      const isWide = size.width === SIZES[0].width;
      if (browser === 'chrome' && isWide === (scheme === 'light')) found.push(...(await findFaults(page)));
      faults.push(...found.map((fault) => `${where}: ${fault}`));
    }
  }
  if (browser === 'chrome') await page.emulateMediaFeatures([]);
  await page.setViewport(before);
  if (faults.length > 0)
    throw new Error(`${name} has ${faults.length} faults in ${browser}:\n${faults.join('\n')}`);
}

/** What axe-core finds wrong with the page, each fault with its element and what to do about it. */
async function findFaults(page: Page): Promise<string[]> {
  const { passes, violations } = (await page.evaluate(
    "axe.run({ resultTypes: ['violations', 'passes'] })",
  )) as AxeResults;
  if (passes.length === 0) return ['axe-core has checked nothing: is the page empty?'];
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${JSON.stringify(target)} ${failureSummary}`),
  );
}
