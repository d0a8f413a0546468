import { answerOf } from './storage-requests.ts';
import type { ReadAnswers, ReadRequest } from './storage-requests.ts';
import type { Storage } from './storage.ts';
import type { NumberedWrite } from './waiting-writes.ts';

export interface ReadReplies {
  answer(ticket: number, kind: ReadRequest['kind'], answer: ReadAnswers[keyof ReadAnswers]): void;
  refused(ticket: number, error: unknown): void;
}

interface NumberedRead {
  readonly ticket: number;
  readonly request: ReadRequest;
}

/** How long reads may keep the thread from a commit, in ms. */
const SLICE_MS = 2;

/** The reads that wait for their turn, and those that wait for the sync of a commit that has touched their channel. */
export class WaitingReads {
  readonly #storage: Storage;
  readonly #replies: ReadReplies;
  readonly #touched = new Set<string>();
  #isHolding = false;
  #ready: NumberedRead[] = [];
  /** The first read of {@link #ready} that has not run. */
  #first = 0;
  #held: NumberedRead[] = [];

  constructor(storage: Storage, replies: ReadReplies) {
    this.#storage = storage;
    this.#replies = replies;
  }

  /** Whether a read can run now. */
  get ready(): boolean {
    return this.#first < this.#ready.length;
  }

  add(ticket: number, request: ReadRequest): void {
    this.#ready.push({ ticket, request });
  }

  /** Holds reads of the channels that these writes change, until {@link release}. */
  hold(writes: readonly NumberedWrite[]): void {
    this.#isHolding = true;
    for (const { request } of writes) if (request.kind !== 'revoke') this.#touched.add(request.channel);
  }

  /** Held reads come before those that arrived later. */
  release(): void {
    this.#isHolding = false;
    this.#touched.clear();
    if (this.#held.length === 0) return;
    this.#ready = [...this.#held, ...this.#ready.slice(this.#first)];
    this.#first = 0;
    this.#held = [];
  }

  /** Runs reads for a slice of time. */
  run(): void {
    if (!this.ready) return;
    const until = performance.now() + SLICE_MS;
    do {
      const read = this.#ready[this.#first++] as NumberedRead;
      if (this.#mustWait(read.request)) this.#held.push(read);
      else this.#answer(read);
    } while (this.ready && performance.now() < until);
    if (this.#first * 2 <= this.#ready.length) return;
    this.#ready = this.#ready.slice(this.#first);
    this.#first = 0;
  }

  #mustWait(request: ReadRequest): boolean {
    if (!this.#isHolding || request.kind === 'figures') return false;
    return !('channel' in request) || this.#touched.has(request.channel);
  }

  #answer({ ticket, request }: NumberedRead): void {
    try {
      this.#replies.answer(ticket, request.kind, answerOf(this.#storage, request));
    } catch (error) {
      this.#replies.refused(ticket, error);
    }
  }
}
