import type { ChannelName } from '../core/channel-name.ts';
import { RevocationList } from '../core/revocation-list.ts';
import type { RevocationListOptions } from '../core/revocation-list.ts';
import { MAX_REVOCATIONS, revocationKey } from '../core/revocation.ts';
import type { Revocation } from '../core/revocation.ts';
import type { TokenAccess } from './access.ts';

/** With the time that a revocation counts: no token may live longer. */
export interface RevocationsOptions extends RevocationListOptions {
  /** MAX_REVOCATIONS but in tests. */
  readonly limit?: number;
}

/** The tokens that are refused although they are valid: this replica's copy of the shared list, in memory. */
export class Revocations {
  readonly #limit: number;
  readonly #list: RevocationList;

  constructor({ limit = MAX_REVOCATIONS, ...options }: RevocationsOptions) {
    // The shared list has room for `limit`. More can only be here when it was lost, and filled anew, and those are
    // refused all the same, as far as there is room for as many again.
    this.#limit = 2 * limit;
    this.#list = new RevocationList(options);
  }

  get size(): number {
    return this.#list.size;
  }

  /** Whether a token may not be used on the channel. Without a token there is nothing to refuse. */
  refuses(access: Pick<TokenAccess, 'subject' | 'issuedAt'> | undefined, channel: ChannelName): boolean {
    if (access === undefined || this.#list.size === 0) return false;
    const { subject, issuedAt } = access;
    if (this.#covers({ subject: undefined, channel }, issuedAt)) return true;
    if (subject === undefined || subject === '') return false;
    return (
      this.#covers({ subject, channel: undefined }, issuedAt) || this.#covers({ subject, channel }, issuedAt)
    );
  }

  /** One that was read. True when this refuses more than before. */
  add(revocation: Revocation): boolean {
    this.#makeRoom(revocation);
    return this.#list.add(revocation);
  }

  /** One that is being made now: it counts for its whole time, also when the clock here says that this is over. */
  hear(revocation: Revocation): void {
    this.#makeRoom(revocation);
    this.#list.addNew(revocation);
  }

  /** Those in force. */
  all(): Iterable<Revocation> {
    return this.#list.all();
  }

  /** Forgets those that no token can be older than. */
  sweep(): void {
    this.#list.sweep();
  }

  #makeRoom(revocation: Revocation): void {
    if (this.#list.size < this.#limit || this.#list.has(revocationKey(revocation))) return;
    this.#list.sweep();
    if (this.#list.size >= this.#limit) this.#list.dropFirst();
  }

  #covers(target: Pick<Revocation, 'subject' | 'channel'>, issuedAt: number): boolean {
    const until = this.#list.until(revocationKey(target));
    return until !== undefined && issuedAt <= until;
  }
}
