import type { ChannelName } from '../../events/channel-name.ts';
import { SQLITE_CONSTRAINT, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode } from './database.ts';
import type { StorageNotice } from './storage.ts';

/** The file ends within a page. */
const SQLITE_IOERR_SHORT_READ = 522;
/** The most channels, and the most events, that are remembered as reported. */
const MAX_CHANNELS = 1_000;
const MAX_EVENTS = 100_000;

/** What was done to a channel failed, because pages of the database are damaged. */
export class ChannelDamage extends Error {
  override readonly name = 'ChannelDamage';
  readonly channel: ChannelName;

  constructor(channel: ChannelName, cause: unknown) {
    super(`The database is damaged where it keeps the channel ${channel}.`, { cause });
    this.channel = channel;
  }
}

/** Rows of a channel that is gone cannot be dropped. */
export class GarbageDamage extends Error {
  override readonly name = 'GarbageDamage';
  readonly channel: number;

  constructor(channel: number, cause: unknown) {
    super(`The database is damaged where it keeps what is left of channel number ${channel}.`, { cause });
    this.channel = channel;
  }
}

/** Tables that can begin anew alone. */
export type RenewableTable = 'latest' | 'idempotency';

/** A table is damaged. */
export class TableDamage extends Error {
  override readonly name = 'TableDamage';
  readonly table: RenewableTable;

  constructor(table: RenewableTable, cause: unknown) {
    super(`The table ${table} of the database is damaged.`, { cause });
    this.table = table;
  }
}

/**
 * Does something to one table.
 * @throws TableDamage instead of an error that {@link isDamage}
 */
export function guardTable<T>(table: RenewableTable, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isDamage(error) ? new TableDamage(table, error) : error;
  }
}

/**
 * Whether the error says that the database has damaged pages. Node.js cannot read a number that is too large; none was written. A
 * constraint is only broken where an index does not fit its table.
 */
export function isDamage(error: unknown): boolean {
  if ((error as { readonly code?: unknown }).code === 'ERR_OUT_OF_RANGE') return true;
  const code = sqliteCode(error);
  if ((error as { readonly errcode?: unknown }).errcode === SQLITE_IOERR_SHORT_READ) return true;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_CONSTRAINT;
}

/**
 * Does something to one channel.
 * @throws ChannelDamage instead of an error that {@link isDamage}
 */
export function guardChannel<T>(channel: ChannelName, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isDamage(error) ? new ChannelDamage(channel, error) : error;
  }
}

/**
 * Counts damaged events, and reports damage: each channel once for each kind, up to a limit. A line for each reader of a damaged event
 * would fill the log.
 */
export class DamageReport {
  readonly #onNotice: (notice: StorageNotice) => void;
  readonly #reported = new Set<string>();
  readonly #events = new Set<string>();

  constructor(onNotice: (notice: StorageNotice) => void) {
    this.#onNotice = onNotice;
  }

  /** How many different events were found damaged. */
  get events(): number {
    return this.#events.size;
  }

  /** @param place tells the event apart from others of its channel */
  event(channel: ChannelName, place: number | string): void {
    if (this.#events.size < MAX_EVENTS) this.#events.add(`${channel} ${place}`);
    this.#report(
      'event',
      channel,
      'An event has damaged bytes and is left out. Subscribers get a gap there.',
    );
  }

  /** An event in the state of a channel is damaged. */
  key(channel: ChannelName | undefined, id: number): void {
    if (this.#events.size < MAX_EVENTS) this.#events.add(`${channel} key ${id}`);
    this.#report('key', channel, 'The newest event of a key has damaged bytes and is left out of the state.');
  }

  table(table: RenewableTable): void {
    const what = table === 'latest' ? 'the newest events of all keys' : 'all idempotency keys';
    this.#report(
      `table ${table}`,
      undefined,
      `The database is damaged where it keeps ${what}. They are gone.`,
    );
  }

  /** The whole database is damaged, and has another name now. */
  database(file: string): void {
    this.#report(
      'database',
      undefined,
      `The database is damaged. It was renamed to ${file}, and an empty one begins. Every subscriber is told that events may be missing. Check the disk.`,
    );
  }

  channel(channel: ChannelName): void {
    this.#report(
      'channel',
      channel,
      'The database is damaged where it keeps this channel. The channel begins anew: its events and keys are gone, and subscribers get a gap.',
    );
  }

  #report(kind: string, channel: ChannelName | undefined, detail: string): void {
    const text = `${kind} ${channel ?? ''}`;
    if (this.#reported.has(text) || this.#reported.size >= MAX_CHANNELS) return;
    this.#reported.add(text);
    this.#onNotice({ kind: 'damaged', ...(channel !== undefined && { channel }), detail });
  }
}
