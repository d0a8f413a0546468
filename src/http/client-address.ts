import { isIP, isIPv4 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * The address that a request counts against: an IPv4 address, or the /64 network of an IPv6 address, because a client
 * that has one address of a /64 has all of them. Fastify has skipped SLUICE_TRUSTED_PROXIES in X-Forwarded-For.
 */
export function clientAddress(request: FastifyRequest): string {
  return countedClient(request.ip, request.socket.remoteAddress);
}

/** The same where Fastify has no request: `forwardedFor` is the X-Forwarded-For, `trusts` knows SLUICE_TRUSTED_PROXIES. */
export function forwardedClientAddress(
  remote: string | undefined,
  forwardedFor: string | undefined,
  trusts: (address: string) => boolean,
): string {
  let client = remote;
  // Each proxy adds the address that it was asked from, so the list is read from its end for as long as it can be believed.
  for (const entry of forwardedFor?.split(',').toReversed() ?? []) {
    const address = entry.trim();
    if (address === '') continue;
    if (client === undefined || !trusts(client)) break;
    client = address;
  }
  return countedClient(client, remote);
}

/** A proxy may have passed on what is no address: then the proxy itself counts. */
function countedClient(client: string | undefined, remote: string | undefined): string {
  return countedAddress(client) ?? countedAddress(remote) ?? 'unknown';
}

/** Undefined when the text is no address. */
export function countedAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIPv4(text)) return text;
  const bare = bareAddress(text);
  switch (isIP(bare)) {
    case 4:
      return bare;
    case 6: {
      // Node takes any text as a zone, ipaddr.js does not. The network does not depend on it.
      const address = ipaddr.IPv6.parse(bare.split('%', 1)[0] ?? '');
      // An IPv4 client of a socket that takes both families.
      if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
      const network = address.parts.slice(0, 4).map((part) => part.toString(16));
      return `${network.join(':')}::/64`;
    }
    default:
      return undefined;
  }
}

/** Removes the port, the brackets and the quotes (as in RFC 7239 §6) that some proxies add in X-Forwarded-For. */
export function bareAddress(text: string): string {
  const [, quoted] = /^"([^"]*)"$/.exec(text) ?? [];
  const entry = quoted ?? text;
  return /^\[([^\]]*)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry;
}
