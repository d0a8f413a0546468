import { provisionBrowser } from './provision-browser.ts';

/** Vitest's global set-up of the browser tests: sets CHROMIUM_PATH, which `launchChromium` reads. */
export async function setup(): Promise<void> {
  await provisionBrowser({
    name: 'Chromium',
    variable: 'CHROMIUM_PATH',
    debianPackage: 'chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome'],
  });
}
