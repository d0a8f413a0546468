import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/** Vitest's global set-up of the projects that build `disk-shim.c`: finds a C compiler, or installs one. */
export async function setup(): Promise<void> {
  if (findProgram('cc') !== undefined) return;
  if (canInstall()) await aptInstall(['gcc', 'libc6-dev'], 'no C compiler (cc) on the PATH');
  if (findProgram('cc') !== undefined) return;
  throw new Error(
    'These tests need a C compiler: install gcc (Debian, Ubuntu: apt-get install gcc libc6-dev), then run npm test again.',
  );
}
