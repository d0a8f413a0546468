import type { ChannelName } from '../events/channel-name.ts';
import { RevocationList } from './revocation-list.ts';
import type { RevocationListOptions } from './revocation-list.ts';
import { MAX_REVOCATIONS, revocationKey } from './revocation.ts';
import type { Revocation } from './revocation.ts';
import type { TokenAccess } from '../auth/access.ts';

/** The lifetime in these options must be at least the longest lifetime of a token. */
export interface RevocationsOptions extends RevocationListOptions {
  /** Default: MAX_REVOCATIONS. Only tests set it. */
  readonly limit?: number;
}

/** This replica's copy of the shared list of revocations. It refuses tokens that are otherwise valid. */
export class Revocations {
  readonly #limit: number;
  readonly #list: RevocationList;

  constructor({ limit = MAX_REVOCATIONS, ...options }: RevocationsOptions) {
    // The shared list holds up to `limit` revocations. There can be more here only when Redis lost the list and it was
    // filled again. Keeping twice as many makes the old revocations still count then.
    this.#limit = 2 * limit;
    this.#list = new RevocationList(options);
  }

  get size(): number {
    return this.#list.size;
  }

  /** Whether a revocation refuses the token on the channel. False when there is no token. */
  refuses(access: Pick<TokenAccess, 'subject' | 'issuedAt'> | undefined, channel: ChannelName): boolean {
    if (access === undefined || this.#list.size === 0) return false;
    const { subject, issuedAt } = access;
    if (this.#covers({ subject: undefined, channel }, issuedAt)) return true;
    if (subject === undefined || subject === '') return false;
    return this.refusesEverywhere(access) || this.#covers({ subject, channel }, issuedAt);
  }

  /** Whether a revocation refuses the token on all channels. */
  refusesEverywhere({ subject, issuedAt }: Pick<TokenAccess, 'subject' | 'issuedAt'>): boolean {
    if (subject === undefined || subject === '') return false;
    return this.#covers({ subject, channel: undefined }, issuedAt);
  }

  /** Adds a revocation from the shared list. Returns true when the list here refuses more than before. */
  add(revocation: Revocation): boolean {
    this.#makeRoom(revocation);
    return this.#list.add(revocation);
  }

  /** Adds a revocation that is made now. It counts for its whole lifetime, even when this replica's wall clock is wrong. */
  addNew(revocation: Revocation): void {
    this.#makeRoom(revocation);
    this.#list.addNew(revocation);
  }

  /** The revocations in force. */
  all(): Iterable<Revocation> {
    return this.#list.all();
  }

  /** Removes expired revocations: every token that they refuse has expired too. */
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
