import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/**
 * Vitest's global set-up of the browser tests: finds or installs Chromium, and sets CHROMIUM_PATH, which
 * `launchChromium` reads. Uses CHROMIUM_PATH unchanged when it is already set.
 */
export async function setup(): Promise<void> {
  if (process.env['CHROMIUM_PATH']) return;
  let found = findChromium();
  if (found === undefined && canInstall()) {
    await aptInstall('chromium', 'no Chromium on the PATH');
    found = findChromium();
  }
  if (found === undefined) {
    throw new Error(
      'These tests need Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM_PATH to a Chromium or Chrome, then run npm test again.',
    );
  }
  process.env['CHROMIUM_PATH'] = found;
}

function findChromium(): string | undefined {
  return findProgram('chromium', 'chromium-browser', 'google-chrome');
}
