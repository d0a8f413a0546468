import { BrokerError } from '../core/errors.ts';
import type { TokenAccess } from './access.ts';
import type { FailedAttempts } from './failed-attempts.ts';
import type { TokenVerifier } from './token-verifier.ts';
import { untimelyError } from './untimely-token.ts';
import type { UntimelyToken } from './untimely-token.ts';

export interface CredentialGuardOptions {
  readonly attempts: FailedAttempts;
  /** A credential was wrong, or not looked at. */
  readonly onFailed: () => void;
  /** It came from an address that had sent too many. */
  readonly onTooMany: (address: string) => void;
}

/** A token that is wrong, with what is wrong. */
interface WrongToken {
  readonly kind: 'wrong';
  readonly error: BrokerError;
}

/** Keeps wrong credentials cheap: counts them by address, and does not verify tokens for one that sent too many. */
export class CredentialGuard {
  readonly #options: CredentialGuardOptions;

  constructor(options: CredentialGuardOptions) {
    this.#options = options;
  }

  /**
   * A token that is rightly signed and only not good at this time is refused, too, but not counted.
   * @throws BrokerError as the verifier does; `too-many-requests`, and then the token may have been a right one
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
   * The same without counting, for one of several tokens of a request: call {@link wrong} once when none of them will do.
   * @throws BrokerError as {@link verify} does, but for tokens that are wrong
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

  /** Counts a credential that is wrong, and says what it is answered with: the error, or that there are too many. */
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
      'Too many wrong credentials came from this address. A right publish key, and a token that was right lately, are taken at any time.',
      { retryAfter: attempts.retryAfter(address) },
    );
  }
}
