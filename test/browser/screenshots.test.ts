import { readdirSync } from 'node:fs';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/launch-browser.ts';
import type { BrowserName } from '../support/launch-browser.ts';
import { SCREENSHOTS } from '../support/provision-screenshots.ts';
import { checkLook } from '../support/screenshots.ts';

const page = (body: string): string =>
  `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>A page</title><main><h1>A page</h1>${body}</main>`;

let browsers: Readonly<Record<BrowserName, Browser>>;
beforeAll(async () => {
  const [chrome, firefox] = await Promise.all([launchBrowser('chrome'), launchBrowser('firefox')]);
  browsers = { chrome, firefox };
});
afterAll(() => Promise.all(Object.values(browsers ?? {}).map((browser) => browser.close())));

test.each<BrowserName>(['chrome', 'firefox'])('a page that scrolls sideways fails in %s', async (name) => {
  const tab = await browsers[name].newPage();
  await tab.setContent(page('<p id="wide" style="width: 900px">wide</p>'));
  const check = checkLook(tab, name, 'a-wide-page');
  await expect(check).rejects.toThrow(`a-wide-page-390-light-${name}.png: <p id="wide"`);
  await expect(check).rejects.not.toThrow('1280');
  expect(readdirSync(SCREENSHOTS)).toContain(`a-wide-page-390-light-${name}.png`);
});

test('a fault of accessibility fails, with its element and the color scheme', async () => {
  const tab = await browsers.chrome.newPage();
  await tab.setContent(
    page('<style>@media (prefers-color-scheme: dark) { p { color: #eee } }</style><p>pale</p><input>'),
  );
  const check = checkLook(tab, 'chrome', 'a-faulty-page');
  await expect(check).rejects.toThrow(/a-faulty-page-1280-light-chrome\.png: label: .*\["input"\]/);
  await expect(check).rejects.toThrow(/a-faulty-page-390-dark-chrome\.png: color-contrast: .*\["p"\]/);
  await expect(check).rejects.not.toThrow(/light-chrome\.png: color-contrast/);
});

test('the check fails when axe-core has checked nothing', async () => {
  const tab = await browsers.chrome.newPage();
  await tab.setContent(page('<p>fine</p>'));
  await tab.evaluate(
    'Object.defineProperty(window, "axe", { get: () => ({ run: () => ({ passes: [], violations: [] }) }), set() {} })',
  );
  const check = checkLook(tab, 'chrome', 'an-unchecked-page');
  await expect(check).rejects.toThrow('axe-core has checked nothing');
});
