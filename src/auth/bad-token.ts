import { BrokerError } from '../core/errors.ts';

/** `fault` completes "The token …". It says what is wrong, and repeats nothing of the token. */
export function badToken(fault: string): BrokerError {
  return new BrokerError('unauthorized', `The token ${fault}.`);
}

export function revokedToken(): BrokerError {
  return badToken('was revoked; get a new one');
}
