import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Page } from 'puppeteer-core';
import type { BrowserName } from './launch-browser.ts';

/** Where the screenshots of a test run are kept. Git ignores it. */
const FOLDER = join(import.meta.dirname, '../../test-results/screenshots');

/** A desktop and a phone, in CSS pixels. */
const SIZES = [
  { width: 1280, height: 800 },
  { width: 390, height: 844 },
] as const;

/** The source of axe-core. Evaluating it defines `axe` in the page. */
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly target: unknown; readonly failureSummary?: string }[];
  }[];
}

/**
 * Takes screenshots of what a page shows now, at both sizes, light and dark, as
 * `test-results/screenshots/<name>-<width>-<scheme>-<browser>.png`. At each of them the page must not scroll sideways. In
 * Chromium, axe-core must find nothing wrong. Firefox has no dark screenshots: its driver cannot choose a color scheme.
 */
export async function checkLook(page: Page, browser: BrowserName, name: string): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  if (browser === 'chrome') await page.evaluate(AXE);
  for (const size of SIZES) {
    await page.setViewport(size);
    for (const scheme of browser === 'chrome' ? ['light', 'dark'] : ['light']) {
      const where = `${name} at ${size.width} px, ${scheme}`;
      if (browser === 'chrome')
        await page.emulateMediaFeatures([
          { name: 'prefers-color-scheme', value: scheme },
          // A transition would be judged half-way.
          { name: 'prefers-reduced-motion', value: 'reduce' },
        ]);
      await page.screenshot({ path: join(FOLDER, `${name}-${size.width}-${scheme}-${browser}.png`) });
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(overflow, `${where} scrolls sideways by px`).toBe(0);
      if (browser === 'chrome') expect(await findFaults(page), where).toEqual([]);
    }
  }
  await page.setViewport(SIZES[0]);
}

/** What axe-core finds wrong with the page, one line a fault. */
async function findFaults(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${JSON.stringify(target)} ${failureSummary}`),
  );
}
