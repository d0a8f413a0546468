import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import { badListCursor } from '../event-log.ts';
import type {
  ChannelAbout,
  ChannelListPage,
  ChannelListRequest,
  HistoryPolicy,
  LogCatalog,
} from '../event-log.ts';
import { NONE } from './block-store.ts';
import { ChannelHistory } from './channel-history.ts';
import type { ChannelRecords } from './channel-records.ts';
import type { EventRecords } from './event-records.ts';
import type { LatestRecords } from './latest-records.ts';

/** What the catalog describes. */
interface DescribedMemory {
  readonly channels: ChannelRecords;
  readonly events: EventRecords;
  readonly latest: LatestRecords;
}

/** How long a list holds the event loop at a time, in ms. */
const SLICE_MS = 5;
/** How many buckets, and how many channels, are visited for one page of a list. On an idle machine either takes some 10 ms. */
const PAGE_BUCKETS = 2 ** 20;
const PAGE_CHANNELS = 20_000;
/** How many buckets are visited between two readings of the clock. */
const BUCKETS_PER_CHECK = 64;
/** The number of a bucket. */
const CURSOR = /^[1-9]\d{0,9}$/;

/** Answers questions about the channels of the embedded log. */
export class MemoryCatalog implements LogCatalog {
  readonly #memory: DescribedMemory;
  readonly #steadyClock: () => number;

  /** @param steadyClock returns the ms of the log's monotonic clock */
  constructor(memory: DescribedMemory, steadyClock: () => number) {
    this.#memory = memory;
    this.#steadyClock = steadyClock;
  }

  /** Returns the readable events of a channel; undefined for an unknown channel. */
  history(channel: ChannelName, { size, ttl }: HistoryPolicy): ChannelHistory | undefined {
    const { channels, events } = this.#memory;
    const record = channels.find(channel);
    if (record === NONE) return undefined;
    return new ChannelHistory(channels, events, record, { size, cutoff: this.#steadyClock() - ttl });
  }

  async about(channel: ChannelName, policy: HistoryPolicy): Promise<ChannelAbout> {
    const { channels, latest } = this.#memory;
    const record = channels.find(channel);
    const keys = latest.count(channel);
    const state = channels.state(record);
    const summary = this.history(channel, policy)?.summary();
    if (summary === undefined) return { state, first: null, length: 0, bytes: 0, keys };
    const { first, length, bytes } = summary;
    const all = bytes + latest.bytes(channel) + channels.table.cost(record);
    return { state, first, length, bytes: all, keys };
  }

  async countAfter(
    channel: ChannelName,
    positions: readonly EventId[],
    policy: HistoryPolicy,
  ): Promise<readonly number[]> {
    const history = this.history(channel, policy);
    return positions.map((position) => history?.countAfter(position) ?? 0);
  }

  /** Walks through the buckets of the table, in slices. The cursor is the number of the next bucket. */
  async list({ prefix, cursor, limit }: ChannelListRequest): Promise<ChannelListPage> {
    const { table } = this.#memory.channels;
    if (cursor !== undefined && !(CURSOR.test(cursor) && Number(cursor) < table.bucketCount))
      throw badListCursor();
    const found: ChannelName[] = [];
    let bucket = Number(cursor ?? 0);
    // Counts, and no clock, decide where a page ends: a busy machine would give many empty pages.
    const end = Math.min(table.bucketCount, bucket + PAGE_BUCKETS);
    let visited = 0;
    let sliceEnd = performance.now() + SLICE_MS;
    while (bucket < end && found.length < limit && visited < PAGE_CHANNELS) {
      for (let one = table.firstIn(bucket); one !== NONE; one = table.nextInBucket(one)) {
        visited++;
        const name = table.text(one) as ChannelName;
        if (name.startsWith(prefix) && this.#isUsed(one)) found.push(name);
      }
      bucket++;
      if (bucket % BUCKETS_PER_CHECK > 0 || performance.now() < sliceEnd) continue;
      await new Promise((resolve) => void setImmediate(resolve));
      sliceEnd = performance.now() + SLICE_MS;
    }
    return { channels: found, next: bucket < table.bucketCount ? String(bucket) : undefined };
  }

  /** False for a channel that has only subscribers, and never had an event or an end. */
  #isUsed(record: number): boolean {
    const { channels } = this.#memory;
    return channels.appended(record) > 0 || channels.status.mark(record) !== 'open';
  }
}
