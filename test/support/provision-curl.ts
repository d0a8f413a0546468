import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/** Vitest's global set-up of the projects that run command lines of the documents: finds these programs, or installs them. */
export async function setup(): Promise<void> {
  for (const program of ['curl', 'sqlite3']) {
    if (findProgram(program) === undefined && canInstall())
      await aptInstall(program, `no ${program} on the PATH`);
    if (findProgram(program) === undefined)
      throw new Error(`These tests need ${program}: install it, then run npm test again.`);
  }
}
