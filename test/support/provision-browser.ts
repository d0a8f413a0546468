import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

interface Browser {
  readonly name: string;
  /** The environment variable that names the program. */
  readonly variable: string;
  readonly debianPackage: string;
  /** The names of the program on the PATH. */
  readonly programs: readonly string[];
}

/** Finds or installs a browser, and sets the variable, unless it is set already. */
export async function provisionBrowser({ name, variable, debianPackage, programs }: Browser): Promise<void> {
  if (process.env[variable]) return;
  let found = findProgram(...programs);
  if (found === undefined && canInstall()) {
    await aptInstall(debianPackage, `no ${name} on the PATH`);
    found = findProgram(...programs);
  }
  if (found === undefined)
    throw new Error(
      `These tests need ${name}: install it (Debian: apt-get install ${debianPackage}), or set ${variable} to its program, then run npm test again.`,
    );
  process.env[variable] = found;
}
