import type { BrokerError } from '../core/errors.ts';
import { badToken } from './bad-token.ts';

/**
 * A token that is rightly signed, by the right issuer and for the right audience, and only not good at this time: it has
 * expired, or is not valid yet. Whoever sends it has been given it by someone who holds the key, so it is no guess.
 */
export interface UntimelyToken {
  readonly kind: 'untimely';
  /** Completes "The token …". */
  readonly fault: string;
  /** Epoch ms from which it may be good; Infinity for a token that has expired. */
  readonly from: number;
}

/** How the token is refused: like a wrong one, but it is not counted. */
export function untimelyError({ fault }: UntimelyToken): BrokerError {
  return badToken(fault);
}
