import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

const PROXIES = ['nginx', 'haproxy', 'caddy'] as const;

/** Vitest's global set-up of the tests with proxies: brings those of them that the PATH has not. */
export async function setup(): Promise<void> {
  for (const proxy of PROXIES) {
    if (findProgram(proxy) === undefined && canInstall()) await aptInstall(proxy, `no ${proxy} on the PATH`);
  }
  const missing = PROXIES.filter((proxy) => findProgram(proxy) === undefined).join(' ');
  if (missing === '') return;
  throw new Error(
    `These tests need nginx, HAProxy and Caddy: install what is missing (Debian, Ubuntu: apt-get install ${missing}), then run npm test again.`,
  );
}
