import { BlockList, isIP } from 'node:net';
import { bareAddress } from './client-address.ts';

/**
 * Returns a function that says whether an address is in one of these networks, whose X-Forwarded-For is trusted. A client may
 * put thousands of addresses into that header. Node's BlockList checks one in under 1 µs, while Fastify's own check takes some
 * 10 µs for an IPv6 address.
 */
export function trustedProxies(networks: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (prefix === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(prefix), family);
  }
  return (hop) => {
    const address = bareAddress(hop);
    const family = isIP(address);
    return family !== 0 && trusted.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}
