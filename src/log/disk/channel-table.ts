import { crc32 } from 'node:zlib';
import type { StatementSync } from 'node:sqlite';
import type { ChannelName } from '../../events/channel-name.ts';
import { eventId, isAfter } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';
import { OPEN, hasRows, setTail } from './channel-facts.ts';
import type { ChannelFacts, ChannelStatus } from './channel-facts.ts';
import { ChannelNumbers } from './channel-numbers.ts';
import { ChannelDamage } from './damage.ts';
import type { Database, Row } from './database.ts';
import type { EventTable } from './event-table.ts';
import type { ForgottenTails } from './forgotten-tails.ts';
import type { LogClock } from './log-clock.ts';
import { integers } from './schema.ts';
import { CHANNEL_BYTES } from './stored-usage.ts';
import type { StoredUsage } from './stored-usage.ts';

/** The memory of a channel in the cache, about, in bytes. */
const CACHED_BYTES = 600;
/** `size` of a channel whose row must be written before anything else depends on it. No policy has it. */
const UNSAVED = -1;

interface ChannelTableOptions {
  readonly database: Database;
  readonly events: EventTable;
  readonly forgotten: ForgottenTails;
  readonly clock: LogClock;
  readonly usage: StoredUsage;
  /** The memory for the cache. */
  readonly cacheBytes: number;
  /** Called when the newest event of a channel is damaged. */
  readonly onDamage: (name: ChannelName) => void;
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

const COLUMNS = 'number tail_ms tail_seq floor status size ttl oldest_at idle_since checksum'.split(' ');
/** Columns of a row. */
const STATUS = 4;
const IDLE_SINCE = 8;
const CHECKSUM = 9;

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
  readonly #idle: StatementSync;
  readonly #addGarbage: StatementSync;
  #young = new Map<ChannelName, ChannelFacts>();
  #old = new Map<ChannelName, ChannelFacts>();
  /** The tail of each followed channel for as long as the channel is unknown. */
  readonly #followed = new Map<ChannelName, IdParts>();
  readonly #numbers: ChannelNumbers;
  #breakpointMs: number;

  constructor(options: ChannelTableOptions) {
    this.#options = options;
    this.#capacity = Math.max(500, Math.floor(options.cacheBytes / CACHED_BYTES / 2));
    const { database } = options;
    this.#select = database.prepare(`SELECT ${integers(...COLUMNS)} FROM channels WHERE name = ?`);
    this.#selectName = database.prepare('SELECT name FROM channels WHERE number = ?');
    this.#save = database.prepare('INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#delete = database.prepare('DELETE FROM channels WHERE number = ?');
    this.#idle = database.prepare(
      'SELECT name, number FROM channels WHERE idle_since <= ? ORDER BY idle_since LIMIT ?',
    );
    this.#addGarbage = database.prepare('INSERT OR IGNORE INTO garbage VALUES (?)');
    this.#numbers = new ChannelNumbers(database);
    this.#breakpointMs = database.meta('breakpoint') ?? 0;
  }

  /**
   * Returns undefined for an unknown channel.
   * @throws ChannelDamage
   */
  find(name: ChannelName): ChannelFacts | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const facts = this.#old.get(name) ?? this.#load(name);
    if (facts !== undefined) this.#keep(facts);
    return facts;
  }

  /** Returns the channel with that number; undefined when there is none. */
  byNumber(number: number): ChannelFacts | undefined {
    const name = this.nameOf(number);
    const facts = name === undefined ? undefined : this.find(name);
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
    const facts = this.#facts(name, this.#numbers.next(), tail);
    this.#keep(facts);
    return facts;
  }

  /** Writes the row of the channel. To be called when anything but the list of its events has changed, or that list became empty. */
  save(facts: ChannelFacts, now: number): void {
    const { number, name, tailMs, tailSeq, floor, status, size, ttl } = facts;
    this.#setIdle(facts, !hasRows(facts));
    const idleSince = facts.isIdle ? now : null;
    const oldestAt = hasRows(facts) ? facts.oldestAt : null;
    const values = [tailMs, tailSeq, floor, status, size, ttl, oldestAt, idleSince];
    this.#save.run(number, name, ...values, checksumOf(name, [number, ...values]));
  }

  /** Gives the channel a new number, so that it has no events and no state. The caller calls {@link save}. */
  renumber(facts: ChannelFacts): void {
    this.discard(facts.number);
    this.#setIdle(facts, false);
    facts.number = this.#numbers.next();
    facts.first = 0;
    facts.floor = 0;
    facts.next = 0;
  }

  /** Forgets a channel without events. Its tail becomes a forgotten tail. */
  forget(facts: ChannelFacts): void {
    const { name, number, tailMs, tailSeq } = facts;
    const tail = { ms: tailMs, seq: tailSeq };
    this.discard(number);
    this.#setIdle(facts, false);
    this.#options.forgotten.raise(name, tail);
    if (this.#followed.has(name)) this.#followed.set(name, tail);
    this.#young.delete(name);
    this.#old.delete(name);
  }

  /**
   * Lets a channel begin anew whose rows cannot be read. Its tail is one that no subscriber can have.
   * @throws RangeError when the index of names leads to another channel
   */
  replace(name: ChannelName, now: number): void {
    const row = this.#select.get(name) as unknown as ChannelRow | undefined;
    const facts = this.#facts(name, this.#numbers.next(), this.#freshTail(0));
    if (row !== undefined) {
      const [number] = row;
      if (this.nameOf(number) !== name) throw new RangeError(`The name ${name} leads to another channel.`);
      this.discard(number);
      if (isIntact(name, row)) {
        facts.status = row[STATUS];
        facts.isIdle = row[IDLE_SINCE] !== null;
      }
    }
    this.#setIdle(facts, false);
    this.save(facts, now);
    this.#keep(facts);
  }

  /** The name of each channel without events since `idleSince`, the oldest first. */
  idle(idleSince: number, limit: number): readonly { readonly name: ChannelName; readonly number: number }[] {
    const rows = this.#idle.all(idleSince, limit) as unknown as readonly [ChannelName, number][];
    return rows.map(([name, number]) => ({ name, number }));
  }

  /** Says whether a channel has subscribers here. A followed channel keeps its tail, also when it is unknown. */
  follow(name: ChannelName, followed: boolean): void {
    if (!followed) this.#followed.delete(name);
    else if (!this.#followed.has(name)) this.#followed.set(name, this.unknownTail(name));
  }

  get followed(): Iterable<ChannelName> {
    return this.#followed.keys();
  }

  isFollowed(name: ChannelName): boolean {
    return this.#followed.has(name);
  }

  /** Forgets what the cache says. To be called after a transaction was rolled back. */
  dropCache(): void {
    this.#young.clear();
    this.#old.clear();
    this.#options.forgotten.reload();
    this.#options.usage.reload();
    this.#numbers.reload();
    this.#breakpointMs = this.#options.database.meta('breakpoint') ?? 0;
  }

  /** Says that nothing before this time (epoch ms) is proven: every channel gets a new tail, so every subscriber gets a gap. */
  breakAt(ms: number): void {
    this.#options.database.setMeta('breakpoint', ms);
    this.dropCache();
    for (const [name, tail] of this.#followed) this.#followed.set(name, this.#unproven(tail));
  }

  /** Returns undefined when no channel has that number. */
  nameOf(number: number): ChannelName | undefined {
    const row = this.#selectName.get(number) as unknown as Row | undefined;
    return row?.[0] as ChannelName | undefined;
  }

  /** Drops the row with this number. What else belongs to the number becomes garbage. */
  discard(number: number): void {
    this.#addGarbage.run(number);
    this.#delete.run(number);
  }

  /** Counts the bytes of channels without events. */
  #setIdle(facts: ChannelFacts, isIdle: boolean): void {
    if (facts.isIdle === isIdle) return;
    const bytes = CHANNEL_BYTES + 2 * facts.name.length;
    this.#options.usage.add('idle', isIdle ? bytes : -bytes);
    facts.isIdle = isIdle;
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
    const [number, tailMs, tailSeq, floor, status, size, ttl, oldestAt, idleSince] = row;
    if (!isIntact(name, row)) throw new ChannelDamage(name, 'The checksum of the channel is wrong.');
    const { events } = this.#options;
    const last = events.last(number);
    const facts = this.#facts(name, number, { ms: tailMs, seq: tailSeq });
    facts.status = status;
    facts.size = size;
    facts.ttl = ttl;
    facts.isIdle = idleSince !== null;
    facts.floor = floor;
    facts.next = floor;
    if (last !== undefined && last.head.ordinal >= floor) {
      facts.next = last.head.ordinal + 1;
      if (last.intact) {
        setTail(facts, last.head);
        facts.at = last.head.at;
      } else {
        this.#options.onDamage(name);
        const older = events.last(number, last.head.ordinal);
        setTail(facts, this.#freshTail(older?.intact === true ? older.head.ms : 0));
      }
    }
    const first = events.first(number, 0);
    facts.first = Math.min(first?.ordinal ?? facts.next, facts.next);
    facts.oldestAt = oldestAt ?? first?.at ?? 0;
    facts.floor = Math.max(floor, facts.first);
    setTail(facts, this.#unproven({ ms: facts.tailMs, seq: facts.tailSeq }));
    return facts;
  }

  #facts(name: ChannelName, number: number, id: IdParts): ChannelFacts {
    const tail = { tailMs: id.ms, tailSeq: id.seq, tail: eventId(id) };
    return { name, number, ...tail, at: 0, first: 0, floor: 0, next: 0, ...NEW };
  }

  /** A tail that no subscriber can have, so each gets a gap. Earlier events may have been in this millisecond. */
  #freshTail(older: number): IdParts {
    const { clock } = this.#options;
    return { ms: Math.max(clock.wall(), clock.now(), older, this.#breakpointMs) + 1, seq: 0 };
  }

  #unproven(tail: IdParts): IdParts {
    const breakpoint = { ms: this.#breakpointMs, seq: 0 };
    return isAfter(breakpoint, tail) ? breakpoint : tail;
  }
}

/** Whether the row is as it was written. */
function isIntact(name: ChannelName, row: ChannelRow): boolean {
  return row[CHECKSUM] === checksumOf(name, row.slice(0, CHECKSUM));
}

const NEW = { status: OPEN, size: UNSAVED, ttl: 0, oldestAt: 0, isIdle: false } as const;

function checksumOf(name: ChannelName, numbers: readonly (number | null)[]): number {
  return crc32(`${name} ${numbers.join(' ')}`);
}
