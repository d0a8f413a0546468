import { DEFAULT_KEYS } from '../../events/channel-policies.ts';
import type { EventId } from '../../events/event.ts';
import type { Appended, HistoryPolicy } from '../event-log.ts';
import { eventId, nextId } from '../id-parts.ts';
import { CLEARED, ENDED, OPEN, channelState, hasRows, setTail } from './channel-facts.ts';
import type { ChannelFacts, ChannelStatus } from './channel-facts.ts';
import type { ChannelTable } from './channel-table.ts';
import { DROP_BYTES, DROP_ROWS } from './event-table.ts';
import type { EventTable } from './event-table.ts';
import type { IdempotencyTable } from './idempotency-table.ts';
import type { LogClock } from './log-clock.ts';
import { MAX_ORDINAL } from './schema.ts';
import { EVENT_BYTES, IDEMPOTENCY_BYTES, storedBytes } from './stored-usage.ts';
import type { AppendOutcome, AppendRequest, ClearOutcome, ClearRequest, Refusal } from './storage.ts';

/** How many keys a channel drops at most in an append, besides one for each event, after its number of keys was lowered. */
const MAX_DROPPED_KEYS = 64;
/** How many events too many a channel may have on the disk: this number, or this share of its size. They go together. */
const MAX_SURPLUS = 64;
const SURPLUS_SHARE = 1 / 8;
/** More than a new channel takes besides its events. */
const NEW_CHANNEL_BYTES = 512;

/** Keeps the newest event of each key. */
interface LatestEvents {
  set(
    channel: number,
    key: string,
    event: { readonly id: EventId; readonly ms: number; readonly seq: number; readonly record: Uint8Array },
  ): void;
  delete(channel: number, key: string): void;
  trim(channel: number, keys: number, most: number): number;
}

interface ChannelAppendsOptions {
  readonly channels: ChannelTable;
  readonly events: EventTable;
  readonly idempotency: Pick<IdempotencyTable, 'recall' | 'set'>;
  readonly latest: LatestEvents;
  readonly clock: LogClock;
  /** Makes room for that many bytes, and may forget channels for it. Returns false when there is none. */
  readonly makeRoom: (bytes: number) => boolean;
}

/** Appends to channels and clears them, in a transaction of the caller. */
export class ChannelAppends {
  readonly #options: ChannelAppendsOptions;
  #newest: ChannelFacts | undefined;

  constructor(options: ChannelAppendsOptions) {
    this.#options = options;
  }

  /** The channel of the newest event that has a row; its newest row is that event. Undefined before the first. */
  get newest(): ChannelFacts | undefined {
    return this.#newest;
  }

  /** To be called after a transaction was rolled back. */
  forgetNewest(): void {
    this.#newest = undefined;
  }

  /** @param now of the log's clock */
  append(request: AppendRequest, now: number): AppendOutcome | Refusal {
    const { channels } = this.#options;
    const { channel, records, end } = request;
    const count = records.length > 0 || !end ? records.length : 1;
    const results: Appended[] = [];
    const known = request.positions === undefined ? 0 : this.#recall(request, results, now);
    if (known === undefined) return { kind: 'refused', reason: 'idempotency-key-reused' };
    // First, because it may forget this channel.
    const fits = this.#options.makeRoom(neededBytes(request));
    const found = channels.find(channel);
    const prev = found?.tail ?? eventId(channels.unknownTail(channel));
    const ends = end && results[count - 1] === undefined;
    if (known === count && !ends)
      return { kind: 'appended', results, prev, tail: prev, ended: false, keysDropped: 0 };
    if (!fits) return { kind: 'refused', reason: 'log-full' };
    if (found?.status === ENDED) return { kind: 'refused', reason: 'channel-ended' };
    const { ifLast } = request;
    if (ifLast !== undefined && ifLast !== prev)
      return { kind: 'refused', reason: 'tail-mismatch', tail: prev };

    const facts = found ?? channels.create(channel);
    // No channel gets there in less than a week. Its subscribers get a gap.
    if (facts.next > MAX_ORDINAL - records.length) channels.renumber(facts);
    const isChanged = takePolicy(facts, request.policy) || !hasRows(facts);
    let keysDropped = 0;
    if (records.length === 0) {
      facts.status = ENDED;
      results[0] = { id: facts.tail, replayed: false };
      const position = request.positions?.[0];
      if (position !== undefined) this.#options.idempotency.set(position, facts.tailMs, facts.tailSeq, now);
      channels.save(facts, now);
    } else {
      keysDropped = this.#appendFresh(facts, request, results, now);
      this.#settle(facts, ends ? ENDED : OPEN, { isChanged, now });
    }
    return { kind: 'appended', results, prev, tail: facts.tail, ended: ends, keysDropped };
  }

  /** @param now of the log's clock */
  clear({ channel, policy, record }: ClearRequest, now: number): ClearOutcome {
    const { channels } = this.#options;
    this.#options.makeRoom(NEW_CHANNEL_BYTES + record.length);
    const facts = channels.find(channel);
    if (facts === undefined || channelState(facts).status === 'empty')
      return { kind: 'cleared', event: undefined };
    const prev = facts.tail;
    channels.renumber(facts);
    takePolicy(facts, policy);
    this.#push(facts, record, now);
    this.#settle(facts, CLEARED, { isChanged: true, now });
    return { kind: 'cleared', event: { id: facts.tail, prev } };
  }

  /** Puts the ids of remembered positions into `results`. Returns how many there are; undefined when another digest is remembered. */
  #recall({ positions = [] }: AppendRequest, results: Appended[], now: number): number | undefined {
    let known = 0;
    for (const [index, position] of positions.entries()) {
      const id = this.#options.idempotency.recall(position, now);
      if (id === 'reused') return undefined;
      if (id === undefined) continue;
      results[index] = { id: eventId(id), replayed: true };
      known++;
    }
    return known;
  }

  /** Appends the events without a result. Returns how many keys the channel has lost. */
  #appendFresh(facts: ChannelFacts, request: AppendRequest, results: Appended[], now: number): number {
    const { records, keys, deletes, positions, policy } = request;
    const { idempotency, latest } = this.#options;
    let setKeys = false;
    for (let index = 0; index < records.length; index++) {
      if (results[index] !== undefined) continue;
      const record = records[index] as Uint8Array;
      this.#push(facts, record, now);
      const { tail: id, tailMs: ms, tailSeq: seq } = facts;
      results[index] = { id, replayed: false };
      const key = keys?.[index];
      if (key !== undefined) {
        setKeys = true;
        if (deletes?.[index] === true) latest.delete(facts.number, key);
        else latest.set(facts.number, key, { id, ms, seq, record });
      }
      const position = positions?.[index];
      if (position !== undefined) idempotency.set(position, ms, seq, now);
    }
    if (!setKeys) return 0;
    return latest.trim(facts.number, policy.keys ?? DEFAULT_KEYS, MAX_DROPPED_KEYS + records.length);
  }

  /** Gives the event an id, and adds its row when the channel keeps events. */
  #push(facts: ChannelFacts, record: Uint8Array, now: number): void {
    const { tailMs, tailSeq } = facts;
    const id = nextId({ ms: tailMs, seq: tailSeq }, this.#options.clock.wall());
    // After a start the clock may be behind the newest event, and times must grow with the ordinals.
    if (now > facts.at) facts.at = now;
    setTail(facts, id);
    if (facts.size === 0) {
      facts.floor = facts.next;
      return;
    }
    if (!hasRows(facts)) facts.oldestAt = facts.at;
    const { number, at } = facts;
    this.#options.events.insert(number, facts.next++, id.ms, id.seq, tailMs, tailSeq, at, record);
    this.#newest = facts;
  }

  /** After appended events: drops events that are too many, and writes the row of the channel if it has changed. */
  #settle(
    facts: ChannelFacts,
    status: ChannelStatus,
    { isChanged, now }: { readonly isChanged: boolean; readonly now: number },
  ): void {
    const isNewRow = isChanged || facts.status !== status || facts.size === 0;
    facts.status = status;
    this.#trim(facts);
    if (isNewRow) this.#options.channels.save(facts, now);
  }

  /** Drops events that are too many, in runs: a run costs less for each event. */
  #trim(facts: ChannelFacts): void {
    const { size, first, next } = facts;
    const surplus = Math.max(facts.floor, next - size) - first;
    if (surplus <= 0 || (surplus < MAX_SURPLUS && surplus < size * SURPLUS_SHARE)) return;
    const { events } = this.#options;
    // Two more than an append adds at most, so that the surplus becomes smaller.
    const most = Math.min(surplus, DROP_ROWS + 2);
    let bytes = 0;
    let count = 0;
    for (const length of events.lengths(facts.number, first, first + most, most)) {
      if (count > 0 && bytes + length > DROP_BYTES) break;
      bytes += length;
      count++;
    }
    const end = count === 0 ? first + most : first + count;
    events.drop(facts.number, first, end);
    facts.first = end;
    facts.floor = Math.max(facts.floor, end);
  }
}

/** About how many bytes of the database the append takes at the most. */
function neededBytes({ records, keys, positions }: AppendRequest): number {
  let bytes = NEW_CHANNEL_BYTES + (positions === undefined ? 0 : positions.length * IDEMPOTENCY_BYTES);
  for (let index = 0; index < records.length; index++) {
    const event = EVENT_BYTES + storedBytes(records[index]?.length ?? 0);
    bytes += keys?.[index] === undefined ? event : 3 * EVENT_BYTES + 2 * event;
  }
  return bytes;
}

/** Returns whether the policy has changed. */
function takePolicy(facts: ChannelFacts, { size, ttl }: HistoryPolicy): boolean {
  if (facts.size === size && facts.ttl === ttl) return false;
  facts.size = size;
  facts.ttl = ttl;
  return true;
}
