import { aptInstall, canInstall } from './apt-install.ts';
import { findProgram } from './find-program.ts';

/** Each program, and the packages that contain it and every module that its configuration loads. */
const PROXIES = {
  nginx: ['nginx'],
  haproxy: ['haproxy'],
  caddy: ['caddy'],
  apache2: ['apache2'],
  varnishd: ['varnish'],
  lighttpd: ['lighttpd', 'lighttpd-mod-openssl', 'lighttpd-mod-deflate', 'lighttpd-modules-lua'],
} as const;

function isMissing([program]: readonly [string, readonly string[]]): boolean {
  return findProgram(program) === undefined;
}

/** Vitest's global set-up of the tests with proxies: installs the proxies that are not in the PATH. */
export async function setup(): Promise<void> {
  for (const [program, packages] of Object.entries(PROXIES).filter(isMissing)) {
    if (canInstall()) await aptInstall(packages, `no ${program} on the PATH`);
  }
  const missing = Object.entries(PROXIES)
    .filter(isMissing)
    .flatMap(([, packages]) => packages)
    .join(' ');
  if (missing === '') return;
  throw new Error(
    `These tests need nginx, HAProxy, Caddy, Apache httpd, Varnish and lighttpd: install what is missing (Debian, Ubuntu: apt-get install ${missing}), then run npm test again.`,
  );
}
