import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/** Vitest's global set-up of the projects that run command lines of the documents: finds curl, or installs it. */
export async function setup(): Promise<void> {
  if (findProgram('curl') !== undefined) return;
  if (canInstall()) await aptInstall('curl', 'no curl on the PATH');
  if (findProgram('curl') !== undefined) return;
  throw new Error('These tests need curl: install it, then run npm test again.');
}
