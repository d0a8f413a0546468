import type { StatementSync } from 'node:sqlite';
import type { ChannelFacts } from './channel-facts.ts';
import type { ChannelTable } from './channel-table.ts';
import { guardChannel } from './damage.ts';
import type { Database } from './database.ts';
import { DROP_BYTES, DROP_ROWS } from './event-table.ts';
import type { EventTable } from './event-table.ts';
import type { LogClock } from './log-clock.ts';
import { EVENT_BYTES, storedBytes } from './stored-usage.ts';

/** How many channels one eviction finds at a time. */
const CANDIDATES = 32;
/**
 * An eviction drops a channel's events of the oldest part of the log's time. With a smaller part the order across channels is more
 * exact, and a channel's row is written more often.
 */
const PARTS_OF_TIME = 32;
/** Events stay in the database for this share of their ttl longer, with bounds in ms, so that they are dropped in runs. */
const SLACK_SHARE = 1 / 8;
const MIN_SLACK_MS = 1_000;
const MAX_SLACK_MS = 60_000;

interface RetentionOptions {
  readonly database: Database;
  readonly channels: ChannelTable;
  readonly events: EventTable;
  readonly clock: LogClock;
  /** Called when readable events were dropped to make room. */
  readonly onEvicted: (dropped: { readonly events: number }) => void;
}

interface Candidate {
  readonly number: number;
  readonly oldestAt: number;
}

/**
 * Drops the events that are too old, and the oldest events of all. Each channel's row has the time of the channel's oldest event, or
 * an earlier time, and an index finds the channels in the order of these times. An append to a channel that has events does not write
 * the row. The time in it may be too early after events were dropped for other reasons: it is put right when it is the oldest.
 */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #nextTtl: StatementSync;
  readonly #oldest: StatementSync;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { database } = options;
    this.#nextTtl = database.prepare(
      'SELECT ttl FROM channels WHERE oldest_at IS NOT NULL AND ttl > ? ORDER BY ttl LIMIT 1',
    );
    this.#oldest = database.prepare(
      'SELECT number, oldest_at FROM channels WHERE oldest_at IS NOT NULL AND ttl = ? ORDER BY oldest_at LIMIT ?',
    );
  }

  /** Drops one run of events that are older than their channel's ttl. Returns whether there were any. */
  expire(): boolean {
    const now = this.#options.clock.now();
    for (const ttl of this.#ttls()) {
      const slack = Math.min(MAX_SLACK_MS, Math.max(MIN_SLACK_MS, ttl * SLACK_SHARE));
      const [oldest] = this.#candidates(ttl, 1);
      if (oldest === undefined || oldest.oldestAt + ttl + slack > now) continue;
      const facts = this.#factsOf(oldest.number);
      if (facts !== undefined) guardChannel(facts.name, () => this.#dropRun(facts, now - ttl));
      return true;
    }
    return false;
  }

  /**
   * Drops the oldest events, of some channels, until `enough` bytes are dropped.
   * @returns the bytes of the dropped events; 0 when there is no event
   */
  evict(enough: number): number {
    const oldest = this.#ttls()
      .flatMap((ttl) => this.#candidates(ttl, CANDIDATES))
      .toSorted((a, b) => a.oldestAt - b.oldestAt)
      .slice(0, CANDIDATES);
    const [first] = oldest;
    if (first === undefined) return 0;
    const part = Math.max(0, (this.#options.clock.now() - first.oldestAt) / PARTS_OF_TIME);
    let bytes = 0;
    for (const { number, oldestAt } of oldest) {
      if (bytes >= enough || oldestAt > first.oldestAt + part) break;
      const facts = this.#factsOf(number);
      // At least 1: a channel without rows, or with damaged ones, was put right, and the search goes on.
      bytes += 1;
      const until = first.oldestAt + part;
      if (facts !== undefined) bytes += guardChannel(facts.name, () => this.#dropRun(facts, until));
    }
    return bytes;
  }

  /** Drops the oldest events until `until`, but at most one run. Returns their bytes. */
  #dropRun(facts: ChannelFacts, until: number): number {
    const { events, channels, clock, onEvicted } = this.#options;
    const now = clock.now();
    const kept = Math.max(facts.floor, facts.next - facts.size);
    const rows = events.ages(facts.number, facts.first, facts.next, DROP_ROWS);
    let bytes = 0;
    let evicted = 0;
    let end = rows.length < DROP_ROWS ? facts.next : (rows.at(-1)?.[0] ?? 0) + 1;
    for (const [ordinal, at, length] of rows) {
      if (at > until || bytes >= DROP_BYTES) {
        end = ordinal;
        break;
      }
      if (ordinal >= kept && at > now - facts.ttl) evicted++;
      bytes += storedBytes(length) + EVENT_BYTES;
    }
    events.drop(facts.number, facts.first, end);
    facts.first = end;
    facts.floor = Math.max(facts.floor, end);
    facts.oldestAt = this.#oldestAt(facts, now);
    channels.save(facts, now);
    if (evicted > 0) onEvicted({ events: evicted });
    return bytes;
  }

  /** The time of the channel's oldest event. A damaged time may be in the future. */
  #oldestAt({ number, first, next }: ChannelFacts, now: number): number {
    return Math.min(now, this.#options.events.first(number, first, next)?.at ?? now);
  }

  /** The different values of `ttl` of channels with events. */
  #ttls(): number[] {
    const { database } = this.#options;
    const ttls: number[] = [];
    let ttl = database.number(this.#nextTtl, -1);
    for (; ttl !== undefined; ttl = database.number(this.#nextTtl, ttl)) ttls.push(ttl);
    return ttls;
  }

  #candidates(ttl: number, limit: number): Candidate[] {
    const rows = this.#oldest.all(ttl, limit) as unknown as readonly [number, number][];
    return rows.map(([number, oldestAt]) => ({ number, oldestAt }));
  }

  /** Returns undefined when the name in the row leads to another row. Then drops the row. */
  #factsOf(number: number): ChannelFacts | undefined {
    const { channels } = this.#options;
    const facts = channels.byNumber(number);
    if (facts === undefined) channels.discard(number);
    return facts;
  }
}
