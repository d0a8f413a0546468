import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from './find-program.ts';

const run = promisify(execFile);

/** Whether this process may install Debian or Ubuntu packages. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && findProgram('apt-get') !== undefined;
}

/** Installs one or more packages, and prints one line about it. */
export async function aptInstall(names: string | readonly string[], why: string): Promise<void> {
  const packages = [names].flat();
  console.log(`tests: ${why}: installing ${packages.join(' ')} with apt-get.`);
  const env = {
    ...process.env,
    DEBIAN_FRONTEND: 'noninteractive',
    // Keeps a package from starting its service: the tests start their own.
    RUNLEVEL: '1',
  };
  // Waits for another running apt-get.
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=300'];
  await run('apt-get', ['update', ...options], { env });
  await run('apt-get', ['install', '-y', '--no-install-recommends', ...options, ...packages], { env });
}
