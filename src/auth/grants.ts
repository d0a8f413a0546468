import { parseChannelPattern } from '../core/channel-pattern.ts';
import type { ChannelPattern } from '../core/channel-pattern.ts';
import { badToken } from './bad-token.ts';

/** The channels that a token lets its holder use. */
export interface Grants {
  readonly subscribe: readonly ChannelPattern[];
  readonly publish: readonly ChannelPattern[];
}

/**
 * The grants in a token's claims (docs/protocol.md §7): those of `sluice`, else those of Mercure's claim of the same
 * shape, else none. A claim that cannot be read refuses the token: part of it would be more or less than was meant.
 * @throws BrokerError `unauthorized`, naming the claim
 */
export function readGrants(claims: Readonly<Record<string, unknown>>): Grants {
  const name = Object.hasOwn(claims, 'sluice') ? 'sluice' : 'mercure';
  if (!Object.hasOwn(claims, name)) return { subscribe: [], publish: [] };
  const claim = claims[name];
  if (typeof claim !== 'object' || claim === null || Array.isArray(claim))
    throw badToken(`has a claim ${name} that is no object such as {"subscribe":["orders.*"]}`);
  const { subscribe, publish } = claim as Record<string, unknown>;
  return {
    subscribe: readPatterns(`${name}.subscribe`, subscribe),
    publish: readPatterns(`${name}.publish`, publish),
  };
}

function readPatterns(name: string, value: unknown): readonly ChannelPattern[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badToken(`has a claim ${name} that is no array of channel patterns`);
  return value.map((item: unknown, index) => {
    const pattern = typeof item === 'string' ? parseChannelPattern(item) : undefined;
    if (pattern !== undefined) return pattern;
    throw badToken(`has in ${name}[${index}] what is no channel name, no prefix followed by *, and not *`);
  });
}
