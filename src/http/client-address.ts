import { isIP, isIPv4 } from 'node:net';
import type { FastifyRequest } from 'fastify';

/**
 * Whom a request counts against: an IPv4 address, or the /64 of an IPv6 one, because whoever has one address of it has
 * them all. Fastify has looked through SLUICE_TRUSTED_PROXIES, and through nobody else's X-Forwarded-For.
 */
export function clientAddress(request: FastifyRequest): string {
  // A proxy may have passed on what is no address: then it is the proxy itself that counts.
  return countedAddress(request.ip) ?? countedAddress(request.socket.remoteAddress) ?? 'unknown';
}

/** Undefined for what is no address. */
export function countedAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIPv4(text)) return text;
  const bare = bareAddress(text);
  switch (isIP(bare)) {
    case 4:
      return bare;
    case 6:
      // An IPv4 client of a socket that takes both kinds.
      return /^::ffff:([\d.]+)$/i.exec(bare)?.[1] ?? prefix64(bare);
    default:
      return undefined;
  }
}

/** Some proxies add a port to what they put into X-Forwarded-For, and quotes as in `Forwarded` (RFC 7239 §6): both are taken off. */
export function bareAddress(text: string): string {
  const [, quoted] = /^"([^"]*)"$/.exec(text) ?? [];
  const entry = quoted ?? text;
  return /^\[([^\]]*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
}

/** RFC 4291 §2.2. A zone, and an IPv4 address in the last 32 bits, lie behind the part that is looked at. */
function prefix64(address: string): string {
  const [left = '', right] = address.split('::');
  const before = groupsOf(left);
  const after = groupsOf(right ?? '');
  const width = after.length + (after.at(-1)?.includes('.') === true ? 1 : 0);
  const zeros = right === undefined ? 0 : 8 - before.length - width;
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  const prefix = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/64`;
}

function groupsOf(part: string): string[] {
  return part === '' ? [] : part.split(':');
}
