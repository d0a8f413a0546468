import { parseChannelPattern } from '../events/channel-pattern.ts';
import type { ChannelPattern } from '../events/channel-pattern.ts';
import { badToken } from './token-errors.ts';

/** What a token allows. */
export interface Grants {
  readonly subscribe: readonly ChannelPattern[];
  readonly publish: readonly ChannelPattern[];
  /** Whether the holder may look into the broker: channels, subscribers, status. */
  readonly admin: boolean;
}

/**
 * Reads the grants from a token's claims (docs/protocol.md §7): the claim `sluice`, else the claim `mercure`, which has the same
 * form, else none. An invalid claim refuses the whole token, because a part of it may allow more or less than the signer meant.
 * @throws BrokerError `unauthorized`, naming the claim
 */
export function readGrants(claims: Readonly<Record<string, unknown>>): Grants {
  const name = Object.hasOwn(claims, 'sluice') ? 'sluice' : 'mercure';
  if (!Object.hasOwn(claims, name)) return { subscribe: [], publish: [], admin: false };
  const claim = claims[name];
  if (typeof claim !== 'object' || claim === null || Array.isArray(claim))
    throw badToken(`has a claim ${name} that is not an object such as {"subscribe":["orders.*"]}`);
  const { subscribe, publish, admin = false } = claim as Record<string, unknown>;
  if (typeof admin !== 'boolean') throw badToken(`has a claim ${name}.admin that is neither true nor false`);
  return {
    subscribe: readPatterns(`${name}.subscribe`, subscribe),
    publish: readPatterns(`${name}.publish`, publish),
    admin,
  };
}

function readPatterns(name: string, value: unknown): readonly ChannelPattern[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badToken(`has a claim ${name} that is not an array of channel patterns`);
  return value.map((item: unknown, index) => {
    const pattern = typeof item === 'string' ? parseChannelPattern(item) : undefined;
    if (pattern !== undefined) return pattern;
    throw badToken(`has an invalid ${name}[${index}]: use a channel name, a prefix followed by *, or *`);
  });
}
