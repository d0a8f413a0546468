import { provisionBrowser } from './provision-browser.ts';

/** Vitest's global set-up of the browser tests: sets FIREFOX_PATH, which `launchBrowser` reads. */
export async function setup(): Promise<void> {
  await provisionBrowser({
    name: 'Firefox',
    variable: 'FIREFOX_PATH',
    debianPackage: 'firefox-esr',
    programs: ['firefox-esr', 'firefox'],
  });
}
