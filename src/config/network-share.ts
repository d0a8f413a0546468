import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A range of addresses of one family. Both ends belong to the range. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

const IPV4: Range = { first: 0n, last: (1n << 32n) - 1n };
/** 2000::/3 holds all public IPv6 addresses (RFC 4291). */
const PUBLIC_IPV6: Range = { first: 0x2n << 124n, last: (0x4n << 124n) - 1n };
/** ::ffff:0:0/96: a dual-stack socket shows IPv4 addresses in this form. */
const MAPPED: Range = { first: 0xffffn << 32n, last: (0x10000n << 32n) - 1n };

/**
 * Computes the share (0 to 1) of all IPv4 addresses and of all public IPv6 addresses that these networks cover, and returns
 * the larger one. An address that is listed twice counts once.
 *
 * @param networks addresses, and networks such as 10.0.0.0/8
 */
export function networkShare(networks: readonly string[]): number {
  const v4: Range[] = [];
  const v6: Range[] = [];
  for (const network of networks) {
    const [address, bits] = parseNetwork(network);
    const range = rangeOf(address, bits);
    if (address.kind() === 'ipv4') {
      v4.push(range);
      continue;
    }
    v6.push(range);
    const mapped = common(range, MAPPED);
    if (mapped !== undefined)
      v4.push({ first: mapped.first - MAPPED.first, last: mapped.last - MAPPED.first });
  }
  return Math.max(shareOf(v4, IPV4), shareOf(v6, PUBLIC_IPV6));
}

function parseNetwork(network: string): [Address, number] {
  if (network.includes('/')) return ipaddr.parseCIDR(network);
  const address = ipaddr.parse(network);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function rangeOf(address: Address, bits: number): Range {
  const bytes = address.toByteArray();
  const free = BigInt(8 * bytes.length - bits);
  const first = (BigInt(`0x${Buffer.from(bytes).toString('hex')}`) >> free) << free;
  return { first, last: first + (1n << free) - 1n };
}

function common(a: Range, b: Range): Range | undefined {
  const first = a.first > b.first ? a.first : b.first;
  const last = a.last < b.last ? a.last : b.last;
  return first <= last ? { first, last } : undefined;
}

function shareOf(ranges: readonly Range[], whole: Range): number {
  const inside = ranges.map((range) => common(range, whole)).filter((range) => range !== undefined);
  inside.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  let covered = 0n;
  let next = whole.first;
  for (const { first, last } of inside) {
    const from = first > next ? first : next;
    if (last < from) continue;
    covered += last - from + 1n;
    next = last + 1n;
  }
  return Number(covered) / Number(whole.last - whole.first + 1n);
}
