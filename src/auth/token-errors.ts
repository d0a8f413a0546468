import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';

/** @param fault completes "The token …". It says what is wrong and shows no part of the token. */
export function badToken(fault: string): BrokerError {
  return new BrokerError('unauthorized', `The token ${fault}.`);
}

export function revokedToken(channel?: ChannelName): BrokerError {
  return badToken(`was revoked${channel === undefined ? '' : ` on the channel ${channel}`}. Get a new one`);
}

/**
 * A token whose signature, issuer and audience are correct, but which is expired or not yet valid. A holder of the key has
 * issued it, so it is not an attempt to guess a token.
 */
export interface UntimelyToken {
  readonly kind: 'untimely';
  /** Completes "The token …". */
  readonly fault: string;
  /** When the token becomes valid, in epoch ms. Infinity for an expired token. */
  readonly from: number;
}

/** The error for the answer. It is the same as for a wrong token, but the caller does not count it. */
export function untimelyError({ fault }: UntimelyToken): BrokerError {
  return badToken(fault);
}
