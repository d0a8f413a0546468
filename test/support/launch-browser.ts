import { launch } from 'puppeteer-core';
import type { Browser } from 'puppeteer-core';

/** The browsers of the client's tests. One library drives both, so that both run the same tests. */
export type BrowserName = 'chrome' | 'firefox';

/** The browsers of the tests of pages. Firefox takes minutes more: `TEST_BROWSERS=all npm test -- --project browser`. */
export const PAGE_BROWSERS: readonly BrowserName[] =
  process.env['TEST_BROWSERS'] === 'all' ? ['chrome', 'firefox'] : ['chrome'];

const PATHS = { chrome: 'CHROMIUM_PATH', firefox: 'FIREFOX_PATH' } as const;

/** Starts a new headless browser with a back/forward cache; the caller closes it. */
export async function launchBrowser(name: BrowserName): Promise<Browser> {
  const executablePath = process.env[PATHS[name]];
  if (!executablePath) throw new Error(`${PATHS[name]} is not set: run this test in the project "browser".`);
  return await launch({
    browser: name,
    executablePath,
    headless: true,
    // The tests have their own patience.
    protocolTimeout: 0,
    args: name === 'chrome' ? ['--no-sandbox', '--disable-gpu', '--disable-quic'] : [],
    // Headless Firefox on a machine with many tabs would unload some.
    ...(name === 'firefox' && { extraPrefsFirefox: { 'browser.tabs.unloadOnLowMemory': false } }),
  });
}
