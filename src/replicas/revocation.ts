import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';

/** Refuses tokens: those of one subject, those for one channel, or those of one subject for one channel. */
export interface Revocation {
  /** The tokens' `sub`, never empty. Undefined: tokens of any subject. */
  readonly subject: string | undefined;
  /** The channel for which the tokens are refused. Undefined: every channel. */
  readonly channel: ChannelName | undefined;
  /** Tokens issued at this time or earlier are refused. In epoch ms. */
  readonly until: number;
}

/** The largest number of revocations in the shared list. */
export const MAX_REVOCATIONS = 100_000;

/** The target of a revocation as one text. Of two revocations with the same target only the later one counts. */
export function revocationKey({ subject = '', channel }: Pick<Revocation, 'subject' | 'channel'>): string {
  return `${channel ?? ''} ${subject}`;
}

/** Reads a text of {@link revocationKey}. No channel name holds a blank, so the first blank ends the channel name. */
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

/** The error for a revocation beyond the limit. Dropping an older one instead would let its tokens in again. */
export function revocationsFull(limit: number): BrokerError {
  return new BrokerError(
    'revocations-full',
    `There are ${limit} revocations, and no more are possible. Nothing was revoked and no stream was disconnected. Wait until some revocations have expired (SLUICE_REVOCATION_TTL), revoke by channel, or disconnect without revoking.`,
  );
}
