import { Buffer } from 'node:buffer';
import type { EventId, StoredEvent } from '../../events/event.ts';
import { isKnownVersion, unknownVersion } from '../../events/record.ts';
import { PAGE_BYTES } from '../event-log.ts';
import type { HistoryPolicy, LogPage } from '../event-log.ts';
import { eventId, idParts, isAfter } from '../id-parts.ts';
import { ENDED } from './channel-facts.ts';
import type { ChannelFacts } from './channel-facts.ts';
import { ChannelDamage } from './damage.ts';
import { MS, ORDINAL, PREV_MS, PREV_SEQ, RECORD, SEQ, follows, isIntact } from './event-table.ts';
import type { EventHead, EventRow, EventTable } from './event-table.ts';
import { EVENT_BYTES, MEASURED_ROWS } from './stored-usage.ts';

/** How many ends of pages are remembered. */
const MAX_ENDS = 1_000;

interface FoundRows {
  readonly rows: readonly EventRow[];
  /** The size of all records together; undefined when the records already fill one buffer. */
  readonly bytes: number | undefined;
}
const NONE: FoundRows = { rows: [], bytes: 0 };

interface ChannelHistoryOptions {
  readonly events: EventTable;
  /** Returns the ms of the log's clock. */
  readonly now: () => number;
  /** Called when an event is damaged. */
  readonly onDamage: (facts: ChannelFacts, ordinal: number) => void;
}

/**
 * Reads the events of a channel: those of its newest `size` events that are not older than `ttl`. A damaged row counts as missing. Each
 * row proves by its `prev` that no event is missing before it.
 */
export class ChannelHistory {
  readonly #events: EventTable;
  readonly #now: () => number;
  /** Where pages ended, by the id of the last event. */
  readonly #ends = new Map<EventId, { readonly number: number; readonly next: number }>();
  readonly #onDamage: (facts: ChannelFacts, ordinal: number) => void;

  constructor({ events, now, onDamage }: ChannelHistoryOptions) {
    this.#events = events;
    this.#now = now;
    this.#onDamage = onDamage;
  }

  /** As {@link EventLog.read}. */
  page(facts: ChannelFacts, after: EventId, limit: number, policy: HistoryPolicy): LogPage {
    const { tail, next } = facts;
    const ended = facts.status === ENDED;
    if (after === tail) return { events: [], tail, ended, complete: true, room: policy.size };
    const start = this.#start(facts, policy);
    const known = this.#ends.get(after);
    let from = known?.number === facts.number ? Math.max(known.next, start) : this.#seek(facts, after, start);
    let found = from < next ? this.#rows(facts, from, limit) : NONE;
    // A damaged row can lead the search to a place that is too early. Searches again behind that place.
    for (let [row] = found.rows; row !== undefined && !isRowAfter(row, after); [row] = found.rows) {
      from = this.#seek(facts, after, row[ORDINAL] + 1);
      found = from < next ? this.#rows(facts, from, limit) : NONE;
    }
    const events = eventsOf(found);
    this.#rememberEnd(facts.number, found.rows[events.length - 1]);
    const complete = events[0]?.prev === after;
    return { events, tail, ended, complete, room: Math.max(0, policy.size - (next - from)) };
  }

  /** Returns the id that precedes the newest `count` events. */
  rewind(facts: ChannelFacts, count: number, policy: HistoryPolicy): EventId {
    const from = Math.max(this.#start(facts, policy), facts.next - count);
    const head = from < facts.next ? this.#events.first(facts.number, from, facts.next) : undefined;
    return head === undefined ? facts.tail : eventId({ ms: head.prevMs, seq: head.prevSeq });
  }

  /** Counts the events after each position. */
  countAfter(facts: ChannelFacts, positions: readonly EventId[], policy: HistoryPolicy): number[] {
    const start = this.#start(facts, policy);
    return positions.map((position) => facts.next - this.#seek(facts, position, start));
  }

  /** Returns the oldest event, the number of events, and their bytes. The bytes of many events are estimated. */
  summary(
    facts: ChannelFacts,
    policy: HistoryPolicy,
  ): { readonly first: EventId | null; readonly length: number; readonly bytes: number } {
    const start = this.#start(facts, policy);
    const head = start < facts.next ? this.#events.first(facts.number, start, facts.next) : undefined;
    if (head === undefined) return { first: null, length: 0, bytes: 0 };
    const length = facts.next - start;
    const sizes = this.#events.lengths(facts.number, start, facts.next, MEASURED_ROWS);
    const bytes = sizes.reduce((sum, size) => sum + size + EVENT_BYTES, 0);
    return { first: eventId(head), length, bytes: Math.round((bytes / Math.max(1, sizes.length)) * length) };
  }

  /** The next page of the same reader needs no search then. */
  #rememberEnd(number: number, row: EventRow | undefined): void {
    if (row === undefined) return;
    if (this.#ends.size >= MAX_ENDS) this.#ends.clear();
    this.#ends.set(eventId({ ms: row[MS], seq: row[SEQ] }), { number, next: row[ORDINAL] + 1 });
  }

  /** Returns the ordinal of the first event that the policy keeps. */
  #start(facts: ChannelFacts, { size, ttl }: HistoryPolicy): number {
    const start = Math.max(facts.floor, facts.next - size);
    const cutoff = this.#now() - ttl;
    if (start >= facts.next || facts.oldestAt > cutoff) return start;
    const oldest = this.#events.first(facts.number, start, facts.next);
    if (oldest === undefined || oldest.at > cutoff) return start;
    return this.#search(facts, start + 1, ({ at }) => at > cutoff);
  }

  /** Returns the ordinal of the first event after the position, but at least `start`. */
  #seek(facts: ChannelFacts, after: EventId, start: number): number {
    const position = idParts(after);
    if (!isAfter({ ms: facts.tailMs, seq: facts.tailSeq }, position)) return facts.next;
    return this.#search(facts, start, (head) => isAfter(head, position));
  }

  /** Returns the ordinal of the first event that satisfies `isBehind`. All later events satisfy it, too. */
  #search({ number, next }: ChannelFacts, start: number, isBehind: (head: EventHead) => boolean): number {
    let low = start;
    let high = next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      // The row may be missing. Then the next one decides.
      const head = this.#events.first(number, middle, high);
      if (head === undefined || isBehind(head)) high = middle;
      else low = head.ordinal + 1;
    }
    return low;
  }

  /** Returns rows that follow each other, from the first intact one on. */
  #rows(facts: ChannelFacts, from: number, limit: number): FoundRows {
    const end = Math.min(facts.next, from + limit);
    const intact = this.#events.page(facts.number, from, end, PAGE_BYTES);
    if (intact !== undefined) return { rows: intact, bytes: undefined };
    const rows: EventRow[] = [];
    let bytes = 0;
    let last: EventRow | undefined;
    let expected = from;
    for (const row of this.#events.rows(facts.number, from, facts.next)) {
      if (row[ORDINAL] !== expected) this.#onDamage(facts, expected);
      expected = row[ORDINAL] + 1;
      if (!isIntact(facts.number, row)) {
        this.#onDamage(facts, row[ORDINAL]);
        continue;
      }
      if (!follows(row, last)) return { rows, bytes };
      if (last !== undefined && bytes + row[RECORD].length > PAGE_BYTES) return { rows, bytes };
      rows.push(row);
      bytes += row[RECORD].length;
      last = row;
      if (rows.length >= limit) return { rows, bytes };
    }
    // A wrong key in the tree hides the newest rows, and would hide new ones too.
    if (expected < facts.next) throw new ChannelDamage(facts.name, 'The newest events are not found.');
    return { rows, bytes };
  }
}

function isRowAfter(row: EventRow, after: EventId): boolean {
  return isAfter({ ms: row[MS], seq: row[SEQ] }, idParts(after));
}

/** Copies the records into one buffer, when they are not in one. */
function eventsOf({ rows, bytes }: FoundRows): StoredEvent[] {
  if (rows.length === 0) return [];
  const buffer = bytes === undefined ? undefined : Buffer.allocUnsafeSlow(bytes);
  const events: StoredEvent[] = [];
  let start = 0;
  let id: EventId | undefined;
  for (const row of rows) {
    const prev = id ?? eventId({ ms: row[PREV_MS], seq: row[PREV_SEQ] });
    id = eventId({ ms: row[MS], seq: row[SEQ] });
    const record = buffer?.subarray(start, start + row[RECORD].length) ?? (row[RECORD] as Buffer);
    buffer?.set(row[RECORD], start);
    start += record.length;
    if (!isKnownVersion(record)) {
      if (events.length === 0) throw unknownVersion(record);
      break;
    }
    events.push({ id, prev, record });
  }
  return events;
}
