import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { ChannelState } from '../../src/log/event-log.ts';
import type { Storage, WriteOutcome, WriteRequest } from '../../src/log/disk/storage.ts';

/** A storage in memory, which knows what would be on disk now, and fails when it is told to. */
export class FakeStorage implements Storage {
  readonly walFile = -1;
  readonly commitBytes = 8 * 1024 * 1024;
  commits = 0;
  needsCheckpoint = false;
  /** The error of the next commits and checkpoints. */
  failure: Error | undefined;
  checkpoints = 0;
  isClosed = false;
  /** The number of requests of each commit. */
  readonly sizes: number[] = [];
  readonly #tails = new Map<ChannelName, number>();
  readonly #followed = new Set<ChannelName>();
  /** The tails that are on disk. */
  #durable = new Map<ChannelName, number>();
  /** The tails at the start of the syncs under way. */
  readonly #snapshots: Map<ChannelName, number>[] = [];

  /** Notes what a sync that begins now makes durable. */
  beginSync(): void {
    this.#snapshots.push(new Map(this.#tails));
  }

  /** The oldest sync has ended. */
  endSync(isGood: boolean): void {
    const snapshot = this.#snapshots.shift();
    if (isGood && snapshot !== undefined) this.#durable = snapshot;
  }

  /** The newest event of the channel that a power cut would leave. */
  durableTail(channel: ChannelName): EventId {
    return idOf(this.#durable.get(channel));
  }

  get isDurable(): boolean {
    return [...this.#tails].every(([channel, tail]) => this.#durable.get(channel) === tail);
  }

  commit(requests: readonly WriteRequest[]): readonly WriteOutcome[] {
    if (this.failure !== undefined) throw this.failure;
    this.commits++;
    this.sizes.push(requests.length);
    return requests.map((request): WriteOutcome => {
      if (request.kind !== 'append') return { kind: 'revoked' };
      const prev = this.state(request.channel).tail;
      const results = request.records.map(() => {
        const next = (this.#tails.get(request.channel) ?? 0) + 1;
        this.#tails.set(request.channel, next);
        return { id: idOf(next), replayed: false };
      });
      const { tail } = this.state(request.channel);
      return { kind: 'appended', results, prev, tail, ended: false, keysDropped: 0 };
    });
  }

  synced(): void {}

  state(channel: ChannelName): ChannelState {
    return { tail: idOf(this.#tails.get(channel)), status: 'open' };
  }

  checkpoint(): void {
    if (this.failure !== undefined) throw this.failure;
    this.checkpoints++;
    this.needsCheckpoint = false;
    this.#durable = new Map(this.#tails);
  }

  follow(channel: ChannelName, followed: boolean): void {
    if (followed) this.#followed.add(channel);
    else this.#followed.delete(channel);
  }

  isFollowed(channel: ChannelName): boolean {
    return this.#followed.has(channel);
  }

  maintain(): boolean {
    return false;
  }

  close(): void {
    this.isClosed = true;
  }

  read = unused;
  rewind = unused;
  readLatest = unused;
  checkKeys = unused;
  about = unused;
  countAfter = unused;
  list = unused;
  revocations = unused;
  figures = unused;
}

function unused(): never {
  throw new Error('the tests do not use this');
}

function idOf(tail: number | undefined): EventId {
  return tail === undefined ? ORIGIN : (`1-${tail}` as EventId);
}
