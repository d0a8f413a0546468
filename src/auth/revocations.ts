import type { ChannelName } from '../core/channel-name.ts';
import { MAX_REVOCATIONS, revocationKey, revocationOf } from '../core/revocation.ts';
import type { Revocation } from '../core/revocation.ts';
import type { TokenAccess } from './access.ts';

export interface RevocationsOptions {
  /** How long a revocation counts, in ms: no token may live longer. */
  readonly ttl: number;
  /** MAX_REVOCATIONS but in tests. */
  readonly limit?: number;
  /** Epoch ms; for tests. */
  readonly clock?: () => number;
}

/** The tokens that are refused although they are valid: this replica's copy of the shared list, in memory. */
export class Revocations {
  readonly #ttl: number;
  readonly #limit: number;
  readonly #now: () => number;
  /** Until when, by {@link revocationKey}. */
  readonly #until = new Map<string, number>();

  constructor({ ttl, limit = MAX_REVOCATIONS, clock = Date.now }: RevocationsOptions) {
    this.#ttl = ttl;
    // The shared list has room for `limit`. More can only be here when it was lost, and filled anew, and those are
    // refused all the same, as far as there is room for as many again.
    this.#limit = 2 * limit;
    this.#now = clock;
  }

  get size(): number {
    return this.#until.size;
  }

  /** Whether a token may not be used on the channel. Without a token there is nothing to refuse. */
  refuses(access: Pick<TokenAccess, 'subject' | 'issuedAt'> | undefined, channel: ChannelName): boolean {
    if (access === undefined || this.#until.size === 0) return false;
    const { subject, issuedAt } = access;
    if (this.#covers({ subject: undefined, channel }, issuedAt)) return true;
    if (subject === undefined || subject === '') return false;
    return (
      this.#covers({ subject, channel: undefined }, issuedAt) || this.#covers({ subject, channel }, issuedAt)
    );
  }

  /** True when this refuses more than before. */
  add(revocation: Revocation): boolean {
    const key = revocationKey(revocation);
    const known = this.#until.get(key);
    if (revocation.until <= (known ?? this.#now() - this.#ttl)) return false;
    if (known === undefined && this.#until.size >= this.#limit) {
      this.sweep();
      const [first] = this.#until.keys();
      if (this.#until.size >= this.#limit && first !== undefined) this.#until.delete(first);
    }
    this.#until.set(key, revocation.until);
    return true;
  }

  /** Those in force. */
  *all(): Iterable<Revocation> {
    for (const [key, until] of this.#until) {
      if (this.#inForce(until)) yield revocationOf(key, until);
    }
  }

  /** Forgets those that no token can be older than. */
  sweep(): void {
    for (const [key, until] of this.#until) {
      if (!this.#inForce(until)) this.#until.delete(key);
    }
  }

  #covers(target: Pick<Revocation, 'subject' | 'channel'>, issuedAt: number): boolean {
    const until = this.#until.get(revocationKey(target));
    return until !== undefined && issuedAt <= until && this.#inForce(until);
  }

  #inForce(until: number): boolean {
    return until > this.#now() - this.#ttl;
  }
}
