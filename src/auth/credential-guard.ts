import { BrokerError } from '../events/errors.ts';
import type { TokenAccess } from './access.ts';
import type { FailedAttempts } from './failed-attempts.ts';
import type { TokenVerifier } from './token-verifier.ts';
import { untimelyError } from './token-errors.ts';
import type { UntimelyToken } from './token-errors.ts';

export interface CredentialGuardOptions {
  readonly attempts: FailedAttempts;
  /** Called for each wrong credential, and for each that was not checked. */
  readonly onFailed: () => void;
  /** Called as well when the address has sent too many wrong credentials. */
  readonly onTooMany: (address: string) => void;
}

interface WrongToken {
  readonly kind: 'wrong';
  readonly error: BrokerError;
}

/** Bounds the cost of wrong credentials: counts them by address, and verifies no token for an address with too many. */
export class CredentialGuard {
  readonly #options: CredentialGuardOptions;

  constructor(options: CredentialGuardOptions) {
    this.#options = options;
  }

  /**
   * Verifies a token. Refuses a correctly signed token that is expired or not yet valid, but does not count it.
   * @throws BrokerError as the verifier does, or `too-many-requests`. In the latter case the token was not checked.
   */
  async verify(
    verifier: Pick<TokenVerifier, 'verify'>,
    token: string,
    address: string,
  ): Promise<TokenAccess> {
    const verdict = await this.judge(verifier, token, address);
    if (verdict.kind === 'untimely') throw untimelyError(verdict);
    if (verdict.kind === 'wrong') throw this.wrong(verdict.error, address);
    return verdict;
  }

  /**
   * Does the same for one of several tokens of a request, without counting. Call {@link wrong} once when none of them is valid.
   * @throws BrokerError as {@link verify} does, except for wrong tokens
   */
  async judge(
    verifier: Pick<TokenVerifier, 'verify'>,
    token: string,
    address: string,
  ): Promise<TokenAccess | UntimelyToken | WrongToken> {
    if (this.#options.attempts.blocked(address)) throw this.#tooMany(address);
    try {
      return await verifier.verify(token);
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'unauthorized') return { kind: 'wrong', error };
      throw error;
    }
  }

  /** Counts a wrong credential. Returns the error for the answer: the given one, or `too-many-requests`. */
  wrong(error: BrokerError, address: string): BrokerError {
    const { attempts, onFailed } = this.#options;
    if (attempts.blocked(address)) return this.#tooMany(address);
    onFailed();
    attempts.failed(address);
    return error;
  }

  #tooMany(address: string): BrokerError {
    const { attempts, onFailed, onTooMany } = this.#options;
    onFailed();
    onTooMany(address);
    return new BrokerError(
      'too-many-requests',
      'This address has sent too many wrong credentials. It can still use a correct publish key, or a token that was accepted recently.',
      { retryAfter: attempts.retryAfter(address) },
    );
  }
}
