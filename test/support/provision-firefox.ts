import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/**
 * Vitest's global set-up of the browser tests: finds or installs Firefox, and sets FIREFOX_PATH, which `launchBrowser`
 * reads. Uses FIREFOX_PATH unchanged when it is already set.
 */
export async function setup(): Promise<void> {
  if (process.env['FIREFOX_PATH']) return;
  let found = findFirefox();
  if (found === undefined && canInstall()) {
    await aptInstall('firefox-esr', 'no Firefox on the PATH');
    found = findFirefox();
  }
  if (found === undefined) {
    throw new Error(
      'These tests need Firefox: install it (Debian: apt-get install firefox-esr), or set FIREFOX_PATH to a Firefox, then run npm test again.',
    );
  }
  process.env['FIREFOX_PATH'] = found;
}

function findFirefox(): string | undefined {
  return findProgram('firefox-esr', 'firefox');
}
