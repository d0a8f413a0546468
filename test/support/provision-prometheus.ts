import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/** Vitest's global set-up of the tests of deploy/: finds `prometheus` and `promtool` in the PATH, or installs them. */
export async function setup(): Promise<void> {
  if (isThere()) return;
  if (canInstall()) await aptInstall('prometheus', 'no prometheus and promtool on the PATH');
  if (isThere()) return;
  throw new Error(
    'These tests need Prometheus: install it with its promtool (Debian, Ubuntu: apt-get install prometheus; macOS: brew install prometheus), then run npm test again.',
  );
}

function isThere(): boolean {
  return findProgram('prometheus') !== undefined && findProgram('promtool') !== undefined;
}
