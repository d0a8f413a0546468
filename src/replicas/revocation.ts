import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';

/** Tokens that are no longer good: those of one subject, those of everybody on one channel, or where both are given both. */
export interface Revocation {
  /** The tokens' `sub`, never empty; undefined for whoever's. */
  readonly subject: string | undefined;
  /** The channel on which they are refused; undefined for every one. */
  readonly channel: ChannelName | undefined;
  /** Refused are tokens issued at or before this, epoch ms. */
  readonly until: number;
}

/** How many revocations are kept at once, over all replicas. */
export const MAX_REVOCATIONS = 100_000;

/** What a revocation is about, as one text. Of two with the same target only the later one counts. */
export function revocationKey({ subject = '', channel }: Pick<Revocation, 'subject' | 'channel'>): string {
  return `${channel ?? ''} ${subject}`;
}

/** The counterpart of {@link revocationKey}: no channel's name holds a blank, so the first one is the divide. */
export function revocationOf(key: string, until: number): Revocation {
  const blank = key.indexOf(' ');
  const channel = key.slice(0, blank);
  const subject = key.slice(blank + 1);
  return {
    subject: subject === '' ? undefined : subject,
    channel: channel === '' ? undefined : (channel as ChannelName),
    until,
  };
}

/** What is refused when there are too many: one that was forgotten in silence would let somebody in. */
export function revocationsFull(limit: number): BrokerError {
  return new BrokerError(
    'revocations-full',
    `There are ${limit} revocations already, which is the most. Nothing was revoked and nobody disconnected: wait until some have expired (SLUICE_REVOCATION_TTL), revoke by channel, or disconnect without revoking.`,
  );
}
