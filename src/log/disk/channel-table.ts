import { crc32 } from 'node:zlib';
import type { StatementSync } from 'node:sqlite';
import type { ChannelName } from '../../events/channel-name.ts';
import { eventId, isAfter, nextId } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';
import { OPEN, hasRows } from './channel-facts.ts';
import type { ChannelFacts, ChannelStatus } from './channel-facts.ts';
import type { Database, Row } from './database.ts';
import type { EventTable } from './event-table.ts';
import type { ForgottenTails } from './forgotten-tails.ts';
import type { LogClock } from './log-clock.ts';
import { MAX_CHANNEL_NUMBER, ORDINAL_BITS } from './schema.ts';

/** The memory of a channel in the cache, about, in bytes. */
const CACHED_BYTES = 600;
/** `size` of a channel whose row must be written before anything else depends on it. No policy has it. */
const UNSAVED = -1;

interface ChannelTableOptions {
  readonly database: Database;
  readonly events: EventTable;
  readonly forgotten: ForgottenTails;
  readonly clock: LogClock;
  /** The memory for the cache. */
  readonly cacheBytes: number;
  /** Called when the row of a channel, or its newest event, is damaged. */
  readonly onDamage: (name: ChannelName, what: 'channel' | 'event') => void;
}

type ChannelRow = [
  number: number,
  tailMs: number,
  tailSeq: number,
  floor: number,
  status: ChannelStatus,
  size: number,
  ttl: number,
  oldestAt: number | null,
  idleSince: number | null,
  checksum: number,
];

/**
 * The channels, with a cache of their facts. The cache has two generations: when the younger one is full, the older one is dropped.
 */
export class ChannelTable {
  readonly #options: ChannelTableOptions;
  readonly #capacity: number;
  readonly #select: StatementSync;
  readonly #selectName: StatementSync;
  readonly #save: StatementSync;
  readonly #delete: StatementSync;
  readonly #addGarbage: StatementSync;
  #young = new Map<ChannelName, ChannelFacts>();
  #old = new Map<ChannelName, ChannelFacts>();
  /** The tail of each followed channel for as long as the channel is unknown. */
  readonly #followed = new Map<ChannelName, IdParts>();
  #lastNumber: number;
  #breakpointMs: number;

  constructor(options: ChannelTableOptions) {
    this.#options = options;
    this.#capacity = Math.max(500, Math.floor(options.cacheBytes / CACHED_BYTES / 2));
    const { database } = options;
    this.#select = database.prepare(
      'SELECT number, tail_ms, tail_seq, floor, status, size, ttl, oldest_at, idle_since, checksum FROM channels WHERE name = ?',
    );
    this.#selectName = database.prepare('SELECT name FROM channels WHERE number = ?');
    this.#save = database.prepare('INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM channels WHERE number = ?');
    this.#addGarbage = database.prepare('INSERT OR IGNORE INTO garbage VALUES (?)');
    this.#lastNumber = this.#largestNumber();
    this.#breakpointMs = database.meta('breakpoint') ?? 0;
  }

  /** Returns undefined for an unknown channel. */
  find(name: ChannelName): ChannelFacts | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const facts = this.#old.get(name) ?? this.#load(name);
    if (facts !== undefined) this.#keep(facts);
    return facts;
  }

  /** Returns the channel with that number; undefined when there is none. */
  byNumber(number: number): ChannelFacts | undefined {
    const row = this.#selectName.get(number) as unknown as Row | undefined;
    const facts = row && this.find(row[0] as ChannelName);
    return facts?.number === number ? facts : undefined;
  }

  /** The tail of an unknown channel. */
  unknownTail(name: ChannelName): IdParts {
    const followed = this.#followed.get(name);
    return followed ?? this.#unproven(this.#options.forgotten.of(name));
  }

  /** Adds an unknown channel. The caller sets its policy and calls {@link save}. */
  create(name: ChannelName): ChannelFacts {
    const tail = this.unknownTail(name);
    const facts = this.#facts(name, this.#freeNumber(), tail);
    this.#keep(facts);
    return facts;
  }

  /** Writes the row of the channel. To be called when anything but the list of its events has changed, or that list became empty. */
  save(facts: ChannelFacts, now: number): void {
    const { number, name, tailMs, tailSeq, floor, status, size, ttl } = facts;
    const idleSince = hasRows(facts) ? null : now;
    const oldestAt = hasRows(facts) ? facts.oldestAt : null;
    const values = [tailMs, tailSeq, floor, status, size, ttl, oldestAt, idleSince];
    this.#save.run(number, name, ...values, checksumOf(name, [number, ...values]));
  }

  /** Gives the channel a new number, so that it has no events and no state. The caller calls {@link save}. */
  renumber(facts: ChannelFacts): void {
    this.#addGarbage.run(facts.number);
    this.#delete.run(facts.number);
    facts.number = this.#freeNumber();
    facts.first = 0;
    facts.floor = 0;
    facts.next = 0;
  }

  /** Forgets a channel without events. Its tail becomes a forgotten tail. */
  forget({ name, number, tailMs, tailSeq }: ChannelFacts): void {
    const tail = { ms: tailMs, seq: tailSeq };
    this.#addGarbage.run(number);
    this.#delete.run(number);
    this.#options.forgotten.raise(name, tail);
    if (this.#followed.has(name)) this.#followed.set(name, tail);
    this.#young.delete(name);
    this.#old.delete(name);
  }

  /** Says whether a channel has subscribers here. A followed channel keeps its tail, also when it is unknown. */
  follow(name: ChannelName, followed: boolean): void {
    if (!followed) this.#followed.delete(name);
    else if (!this.#followed.has(name)) this.#followed.set(name, this.unknownTail(name));
  }

  isFollowed(name: ChannelName): boolean {
    return this.#followed.has(name);
  }

  /** Forgets what the cache says. To be called after a transaction was rolled back. */
  dropCache(): void {
    this.#young.clear();
    this.#old.clear();
    this.#options.forgotten.reload();
    this.#lastNumber = this.#largestNumber();
    this.#breakpointMs = this.#options.database.meta('breakpoint') ?? 0;
  }

  /** Says that nothing before this time (epoch ms) is proven: every channel gets a new tail, so every subscriber gets a gap. */
  breakAt(ms: number): void {
    this.#options.database.setMeta('breakpoint', ms);
    this.dropCache();
    for (const [name, tail] of this.#followed) this.#followed.set(name, this.#unproven(tail));
  }

  #keep(facts: ChannelFacts): void {
    this.#young.set(facts.name, facts);
    if (this.#young.size < this.#capacity) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  #load(name: ChannelName): ChannelFacts | undefined {
    const row = this.#select.get(name) as unknown as ChannelRow | undefined;
    if (row === undefined) return undefined;
    const [number, tailMs, tailSeq, floor, status, size, ttl, oldestAt, , checksum] = row;
    if (checksum !== checksumOf(name, row.slice(0, -1) as (number | null)[]))
      return this.#replaceDamaged(name);
    const { events } = this.#options;
    const last = events.last(number);
    const facts = this.#facts(name, number, { ms: tailMs, seq: tailSeq });
    facts.status = status;
    facts.size = size;
    facts.ttl = ttl;
    facts.floor = floor;
    facts.next = floor;
    if (last !== undefined && last.head.ordinal >= floor) {
      facts.next = last.head.ordinal + 1;
      if (last.intact) {
        setTail(facts, last.head);
        facts.at = last.head.at;
      } else {
        this.#options.onDamage(name, 'event');
        setTail(facts, this.#freshTail());
      }
    }
    const first = events.first(number, 0);
    facts.first = Math.min(first?.ordinal ?? facts.next, facts.next);
    facts.oldestAt = oldestAt ?? first?.at ?? 0;
    facts.floor = Math.max(floor, facts.first);
    setTail(facts, this.#unproven({ ms: facts.tailMs, seq: facts.tailSeq }));
    return facts;
  }

  /** Stands in for a channel whose row is damaged. The number in the row may be that of another channel. */
  #replaceDamaged(name: ChannelName): ChannelFacts {
    this.#options.onDamage(name, 'channel');
    return this.#facts(name, this.#freeNumber(), this.#freshTail());
  }

  #facts(name: ChannelName, number: number, { ms, seq }: IdParts): ChannelFacts {
    const tail = eventId({ ms, seq });
    const [tailMs, tailSeq] = [ms, seq];
    return { name, number, tailMs, tailSeq, tail, at: 0, first: 0, floor: 0, next: 0, ...NEW };
  }

  /** A tail that no subscriber can have, so each gets a gap. */
  #freshTail(): IdParts {
    return nextId(
      { ms: this.#breakpointMs, seq: 0 },
      Math.max(this.#options.clock.wall(), this.#options.clock.now()),
    );
  }

  #unproven(tail: IdParts): IdParts {
    const breakpoint = { ms: this.#breakpointMs, seq: 0 };
    return isAfter(breakpoint, tail) ? breakpoint : tail;
  }

  #largestNumber(): number {
    const { database } = this.#options;
    const queries = [
      'SELECT max(number) FROM channels',
      'SELECT max(channel) FROM garbage',
      `SELECT max(place) >> ${ORDINAL_BITS} FROM events`,
      'SELECT max(channel) FROM latest',
    ];
    return Math.max(0, ...queries.map((sql) => database.number(database.prepare(sql)) ?? 0));
  }

  #freeNumber(): number {
    if (this.#lastNumber < MAX_CHANNEL_NUMBER) return ++this.#lastNumber;
    throw new Error('All numbers of channels are used.');
  }
}

const NEW = { status: OPEN, size: UNSAVED, ttl: 0, oldestAt: 0 } as const;

export function setTail(facts: ChannelFacts, { ms, seq }: IdParts): void {
  facts.tailMs = ms;
  facts.tailSeq = seq;
  facts.tail = eventId({ ms, seq });
}

function checksumOf(name: ChannelName, numbers: readonly (number | null)[]): number {
  return crc32(`${name} ${numbers.join(' ')}`);
}
