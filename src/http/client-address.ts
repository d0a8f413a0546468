import { isIP, isIPv4 } from 'node:net';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

/**
 * Returns the address that limits count: an IPv4 address, or the /64 network of an IPv6 address. A client with one address of a
 * /64 network can use all of its addresses. Fastify has skipped SLUICE_TRUSTED_PROXIES in X-Forwarded-For.
 */
export function clientAddress(request: FastifyRequest): string {
  return countedClient(request.ip, request.socket.remoteAddress);
}

/**
 * Does the same without a Fastify request.
 * @param forwardedFor the value of X-Forwarded-For
 * @param trusts whether an address is in SLUICE_TRUSTED_PROXIES
 */
export function forwardedClientAddress(
  remote: string | undefined,
  forwardedFor: string | undefined,
  trusts: (address: string) => boolean,
): string {
  let client = remote;
  // Each proxy appends the address of its client. So this reads the list from its end, as long as the proxies are trusted.
  for (const entry of forwardedFor?.split(',').toReversed() ?? []) {
    const address = entry.trim();
    if (address === '') continue;
    if (client === undefined || !trusts(client)) break;
    client = address;
  }
  return countedClient(client, remote);
}

/** A proxy may pass on a text that is not an address. Then the address of the proxy counts. */
function countedClient(client: string | undefined, remote: string | undefined): string {
  return countedAddress(client) ?? countedAddress(remote) ?? 'unknown';
}

/** Returns the address or network that limits count; undefined when the text is not an address. */
export function countedAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (isIPv4(text)) return text;
  const bare = bareAddress(text);
  switch (isIP(bare)) {
    case 4:
      return bare;
    case 6: {
      // Removes the zone: Node accepts any text as a zone, ipaddr.js does not, and the network does not depend on the zone.
      const address = ipaddr.IPv6.parse(bare.split('%', 1)[0] ?? '');
      // The client uses IPv4, and the socket accepts both families.
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
