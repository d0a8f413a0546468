import { Buffer } from 'node:buffer';
import type { ChannelName } from '../../events/channel-name.ts';
import { BrokerError } from '../../events/errors.ts';
import type { EventId, NewEvent, StoredEvent } from '../../events/event.ts';
import { clearedEvent } from '../../events/record.ts';
import { channelEnded, keyReused, tailMismatch } from '../append-refusals.ts';
import { refuseTooMany } from '../event-log.ts';
import type {
  AppendOptions,
  Appended,
  ChannelState,
  EventLog,
  HistoryPolicy,
  LatestCursor,
  LatestLimits,
  LatestPage,
  LogCatalog,
  LogHealth,
  LogListener,
  LogPage,
} from '../event-log.ts';
import { APPEND_WORDS, CHECK_WORDS, CLEAR_WORDS, READ_WORDS } from '../failure-words.ts';
import type { FailureWords } from '../failure-words.ts';
import { keyedPositions } from '../keyed-positions.ts';
import { failureError } from './disk-failure.ts';
import type { DiskFailure } from './disk-failure.ts';
import { FollowedChannels } from './followed-channels.ts';
import { recordBytes, recordLength, writeRecord } from './request-batch.ts';
import type { WaitingWrite } from './sent-requests.ts';
import { StorageClient } from './storage-client.ts';
import type { StorageClientOptions } from './storage-client.ts';
import type { AppendOutcome, Refusal, StorageFigures, StoredRevocation, WriteOutcome } from './storage.ts';

export interface DiskEventLogOptions extends Pick<
  StorageClientOptions,
  'thread' | 'onNotice' | 'onHealth' | 'program'
> {
  /** Called when the newest events of that many keys are dropped, because a channel has too many keys. */
  readonly onKeysDropped?: (keys: number) => void;
  readonly onCommitted?: (events: number) => void;
  readonly onSynced?: (seconds: number) => void;
}

/** How many positions are counted at a time. In a long history, each is a search of some 20 rows. */
const POSITIONS = 32;
/** How many revocations are read at a time. */
const REVOCATIONS_PAGE = 5_000;

const REVOKE_WORDS: FailureWords = {
  nothingDone: 'Nothing was revoked and no stream was disconnected.',
  next: 'Try again.',
  unknown: 'The revocation may have been stored. Try again.',
};

/**
 * The embedded log on disk. A thread of its own has the database, so this thread never waits for the disk. This side encodes
 * records, calls listeners, and keeps nothing else.
 */
export class DiskEventLog implements EventLog {
  readonly catalog: LogCatalog;
  readonly isOutside = false;
  readonly #client: StorageClient;
  readonly #followed: FollowedChannels;
  readonly #onKeysDropped: (keys: number) => void;

  private constructor(client: StorageClient, followed: FollowedChannels, options: DiskEventLogOptions) {
    this.#client = client;
    this.#followed = followed;
    this.#onKeysDropped = options.onKeysDropped ?? ignore;
    this.catalog = {
      about: (channel, policy) => client.ask({ kind: 'about', channel, policy }, readError),
      countAfter: async (channel, positions, policy) => {
        const counts: number[] = [];
        for (let at = 0; at < positions.length; at += POSITIONS) {
          const some = positions.slice(at, at + POSITIONS);
          counts.push(...(await client.ask({ kind: 'count', channel, positions: some, policy }, readError)));
        }
        return counts;
      },
      list: (request) => client.ask({ kind: 'list', request }, readError),
    };
  }

  /** @throws LogStartError when the folder cannot be used */
  static async open(options: DiskEventLogOptions): Promise<DiskEventLog> {
    const { onCommitted = ignore, onSynced = ignore } = options;
    const followed: FollowedChannels = new FollowedChannels(() => client);
    const client = await StorageClient.open({
      ...options,
      onCommitted,
      onSynced,
      onLost: () => followed.interrupt(),
      onReopened: () => followed.resume(),
    });
    return new DiskEventLog(client, followed, options);
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<readonly Appended[]> {
    refuseTooMany(events);
    if (events.length === 0 && options.end !== true) return [];
    const { promise, resolve, reject } = Promise.withResolvers<readonly Appended[]>();
    const positions = keyedPositions(channel, events, options);
    const waiting = this.#waiting(APPEND_WORDS, reject, (outcome) => {
      this.#announce(channel, events, outcome as AppendOutcome);
      resolve((outcome as AppendOutcome).results);
    });
    this.#client.write(waiting, Math.max(events.length, 1), recordBytes(events), (batch, ticket) =>
      batch.append(ticket, channel, events, options, positions),
    );
    return promise;
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    return this.#client.ask({ kind: 'read', channel, after, limit, policy }, readError);
  }

  async checkKeys(channel: ChannelName, events: readonly NewEvent[], options: AppendOptions): Promise<void> {
    const positions = keyedPositions(channel, events, options);
    if (positions === undefined) return;
    if (!(await this.#client.ask({ kind: 'keys', channel, positions }, checkError))) throw keyReused();
  }

  state(channel: ChannelName): Promise<ChannelState> {
    return this.#client.ask({ kind: 'state', channel }, readError);
  }

  clear(channel: ChannelName, policy: HistoryPolicy): Promise<boolean> {
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const event = clearedEvent(channel);
    const waiting = this.#waiting(CLEAR_WORDS, reject, (outcome) => {
      const cleared = outcome.kind === 'cleared' ? outcome.event : undefined;
      if (cleared !== undefined && this.#followed.isFollowed(channel))
        this.#followed.announce(channel, [{ ...cleared, record: ownRecord(event) }]);
      resolve(cleared !== undefined);
    });
    this.#client.write(waiting, 1, recordBytes([event]), (batch, ticket) =>
      batch.clear(ticket, channel, policy, event),
    );
    return promise;
  }

  rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId> {
    return this.#client.ask({ kind: 'rewind', channel, count, policy }, readError);
  }

  readLatest(
    channel: ChannelName,
    after: LatestCursor | undefined,
    limits: LatestLimits,
  ): Promise<LatestPage> {
    return this.#client.ask({ kind: 'latest', channel, after, limits }, readError);
  }

  follow(channel: ChannelName, listener: LogListener): () => void {
    return this.#followed.follow(channel, listener);
  }

  async health(): Promise<LogHealth> {
    return this.#client.health;
  }

  /** @throws BrokerError `log-unavailable` when the disk does not answer. What was acknowledged is on disk all the same */
  async close(): Promise<void> {
    if (await this.#client.close()) return;
    throw new BrokerError(
      'log-unavailable',
      'The disk of the log does not answer, so the log was not closed.',
      {
        trouble: 'timeout',
      },
    );
  }

  /**
   * Keeps revocations beyond a restart. Resolves when they are on disk.
   * @param onLate called when they are on disk after all, although the promise was rejected
   * @throws BrokerError `log-unavailable`, `log-full`
   */
  revoke(revocations: readonly StoredRevocation[], onLate: () => void = ignore): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let isLate = false;
    const fail = (error: Error): void => {
      isLate = true;
      reject(error);
    };
    const done = (): void => (isLate ? onLate() : resolve());
    const bytes = revocations.reduce((sum, { key }) => sum + key.length, 0);
    this.#client.write(this.#waiting(REVOKE_WORDS, fail, done), revocations.length, bytes, (batch, ticket) =>
      batch.revoke(ticket, revocations),
    );
    return promise;
  }

  /** The kept revocations, in pages. @throws BrokerError `log-unavailable` */
  async *revocations(): AsyncIterable<readonly StoredRevocation[]> {
    let after = '';
    for (;;) {
      const page = await this.#client.ask({ kind: 'revocations', after, limit: REVOCATIONS_PAGE }, readError);
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      after = last.key;
    }
  }

  /** @throws BrokerError `log-unavailable` */
  figures(): Promise<StorageFigures> {
    return this.#client.ask({ kind: 'figures' }, readError);
  }

  /** Waits for a write. Its events are announced also when the write has failed for lack of an answer. */
  #waiting(
    words: FailureWords,
    reject: (error: Error) => void,
    done: (outcome: Exclude<WriteOutcome, Refusal>) => void,
  ): WaitingWrite {
    return {
      done: (outcome) => {
        if (outcome.kind === 'refused') reject(refusalError(outcome, words));
        else done(outcome);
      },
      failed: (failure) => reject(failure instanceof Error ? failure : failureError(failure, words)),
    };
  }

  #announce(channel: ChannelName, events: readonly NewEvent[], outcome: AppendOutcome): void {
    const { results, tail, ended, keysDropped } = outcome;
    if (keysDropped > 0) this.#onKeysDropped(keysDropped);
    if (!this.#followed.isFollowed(channel)) return;
    let { prev } = outcome;
    const announced: StoredEvent[] = [];
    for (const [index, event] of events.entries()) {
      const { id, replayed } = results[index] as Appended;
      if (replayed) continue;
      announced.push({ id, prev, record: ownRecord(event) });
      prev = id;
    }
    if (announced.length > 0) this.#followed.announce(channel, announced);
    if (ended) this.#followed.announceEnd(channel, tail);
  }
}

/** The record with a buffer of its own: whoever keeps the event keeps no other memory alive. */
function ownRecord(event: NewEvent): Buffer {
  const record = Buffer.allocUnsafeSlow(recordLength(event));
  writeRecord(event, record, 0);
  return record;
}

function ignore(): undefined {}

function checkError(failure: DiskFailure): BrokerError {
  return failureError(failure, CHECK_WORDS);
}

function readError(failure: DiskFailure): BrokerError {
  return failureError(failure, READ_WORDS);
}

function refusalError({ reason, tail }: Refusal, words: FailureWords): BrokerError {
  switch (reason) {
    case 'channel-ended':
      return channelEnded();
    case 'tail-mismatch':
      return tailMismatch(tail as EventId);
    case 'idempotency-key-reused':
      return keyReused();
    case 'log-full':
      return new BrokerError('log-full', `The log on disk has no room for this. ${words.nothingDone}`);
  }
}
