import { Buffer } from 'node:buffer';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId, NewEvent, StoredEvent } from '../../src/events/event.ts';
import { clearedEvent, encodeRecord } from '../../src/events/record.ts';
import { LogStore } from '../../src/log/disk/log-store.ts';
import type {
  AppendOutcome,
  AppendRequest,
  StorageNotice,
  StorageOptions,
  WriteRequest,
} from '../../src/log/disk/storage.ts';
import type { HistoryPolicy } from '../../src/log/event-log.ts';

const MIB = 1024 * 1024;

/** Keeps all events of a test. */
export const KEEP: HistoryPolicy = { size: 10_000_000, ttl: 86_400_000 };

/** The events of a channel that can be read from the beginning, and where events are missing. */
export interface ChannelContent {
  readonly events: readonly StoredEvent[];
  /** How many pages were not complete. */
  readonly gaps: number;
  readonly tail: EventId;
}

/** A log on disk in a temporary folder, without its thread. Its time is set by the test. */
export class StoreFolder {
  readonly folder: string;
  readonly notices: StorageNotice[] = [];
  /** Epoch ms. */
  now = 1_800_000_000_000;
  store: LogStore;
  readonly #options: Partial<StorageOptions>;

  constructor(options: Partial<StorageOptions> = {}) {
    this.#options = options;
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), 'sluice-store-'));
    this.store = this.open();
  }

  /** Opens the log again, after {@link LogStore.close}. */
  open(): LogStore {
    this.store = new LogStore({
      folder: this.folder,
      dataBytes: 1024 * MIB,
      memoryBytes: 64 * MIB,
      idempotencyTtl: 60_000,
      revocationTtl: 60_000,
      onNotice: (notice) => this.notices.push(notice),
      wallClock: () => this.now,
      steadyClock: () => this.now,
      ...this.#options,
    });
    return this.store;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** An append of events with these data. */
  request(
    channel: string,
    events: readonly (string | NewEvent)[],
    options: Partial<AppendRequest> = {},
  ): AppendRequest {
    const all = events.map((event) => (typeof event === 'string' ? { data: event } : event));
    return {
      kind: 'append',
      channel: parseChannelName(channel),
      records: all.map((event) => Buffer.from(encodeRecord(event))),
      keys: all.some(({ key }) => key !== undefined) ? all.map(({ key }) => key) : undefined,
      deletes: undefined,
      policy: KEEP,
      positions: undefined,
      ifLast: undefined,
      end: false,
      ...options,
    };
  }

  /** One commit, and a checkpoint when it is due. Without a sync, which a test does not need: the machine goes on. */
  commit(requests: readonly WriteRequest[]): ReturnType<LogStore['commit']> {
    const outcomes = this.store.commit(requests);
    this.store.synced(this.store.commits);
    if (this.store.needsCheckpoint) this.store.checkpoint();
    return outcomes;
  }

  append(
    channel: string,
    events: readonly (string | NewEvent)[],
    options: Partial<AppendRequest> = {},
  ): AppendOutcome {
    const [outcome] = this.commit([this.request(channel, events, options)]);
    if (outcome?.kind !== 'appended') throw new Error(`The append was ${JSON.stringify(outcome)}.`);
    return outcome;
  }

  clear(channel: string): void {
    const name = parseChannelName(channel);
    const record = Buffer.from(encodeRecord(clearedEvent(name)));
    this.commit([{ kind: 'clear', channel: name, policy: KEEP, record }]);
  }

  /** Does the background work until there is none, with checkpoints. Returns the number of slices. */
  work(): number {
    let slices = 1;
    for (; this.store.maintain() && slices < 10_000; slices++)
      if (this.store.needsCheckpoint) this.store.checkpoint();
    this.store.checkpoint();
    return slices;
  }

  content(channel: string, policy: HistoryPolicy = KEEP): ChannelContent {
    const name = parseChannelName(channel);
    const events: StoredEvent[] = [];
    let gaps = 0;
    let after = ORIGIN;
    for (;;) {
      const page = this.store.read(name, after, 10_000, policy);
      if (!page.complete) gaps++;
      events.push(...page.events);
      const last = page.events.at(-1);
      if (last === undefined) return { events, gaps, tail: page.tail };
      after = last.id;
    }
  }

  /** The data of all events that can be read. */
  data(channel: string, policy: HistoryPolicy = KEEP): string[] {
    return this.content(channel, policy).events.map(({ record }) => record.toString().split('\n\n')[1] ?? '');
  }

  /** The bytes of the files of the database. */
  get bytes(): number {
    let bytes = 0;
    for (const file of readdirSync(this.folder))
      if (file === 'sluice.db' || file === 'sluice.db-wal') bytes += statSync(join(this.folder, file)).size;
    return bytes;
  }
}
