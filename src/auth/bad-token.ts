import { BrokerError } from '../events/errors.ts';

/** @param fault completes "The token …". It says what is wrong and shows no part of the token. */
export function badToken(fault: string): BrokerError {
  return new BrokerError('unauthorized', `The token ${fault}.`);
}

export function revokedToken(): BrokerError {
  return badToken('was revoked. Get a new one');
}
