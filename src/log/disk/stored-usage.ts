import type { Database } from './database.ts';
import { PAGE_SIZE } from './schema.ts';

/** Parts of the database with a share of the space. The events have what is left. */
export type UsagePart = 'latest' | 'idle';

const PARTS: readonly UsagePart[] = ['latest', 'idle'];
/** The bytes of an event's row besides its record. */
export const EVENT_BYTES = 40;
/** The bytes of an idempotency key's row, with its entry in the index. */
export const IDEMPOTENCY_BYTES = 112;
/** The bytes of a channel's row and its entries in two indexes, besides its name, which is in the row and in one index. */
export const CHANNEL_BYTES = 96;
/** How many rows of a channel are measured. Their average stands for the others. */
export const MEASURED_ROWS = 300;
/** The usable bytes of an overflow page. */
const OVERFLOW_BYTES = 4_092;
/** A row with more bytes than this has overflow pages. */
const MAX_LOCAL_BYTES = 4_000;

/** The bytes that a value of this length takes in a table with a rowid. */
export function storedBytes(length: number): number {
  return length <= MAX_LOCAL_BYTES ? length : Math.ceil(length / OVERFLOW_BYTES) * PAGE_SIZE;
}

/**
 * How many bytes the parts of the database take, by estimate. SQLite would have to read a whole table to answer this, so the numbers are
 * kept in the table `meta`. They change in the same transaction as the rows.
 */
export class StoredUsage {
  readonly #database: Database;
  readonly #bytes: Record<UsagePart, number> = { latest: 0, idle: 0 };
  #changed = false;

  constructor(database: Database) {
    this.#database = database;
    this.reload();
  }

  bytes(part: UsagePart): number {
    return this.#bytes[part];
  }

  add(part: UsagePart, bytes: number): void {
    this.#bytes[part] = Math.max(0, this.#bytes[part] + bytes);
    this.#changed = true;
  }

  /** Says that the part has no rows: damage and estimates may have made the number wrong. */
  empty(part: UsagePart): void {
    this.add(part, -this.#bytes[part]);
  }

  /** Stores the numbers. To be called at the end of each transaction. */
  save(): void {
    if (!this.#changed) return;
    for (const part of PARTS) this.#database.setMeta(`bytes-${part}`, this.#bytes[part]);
    this.#changed = false;
  }

  /** Reads the stored numbers. To be called after a transaction was rolled back. */
  reload(): void {
    for (const part of PARTS) {
      this.#bytes[part] = Math.max(0, this.#database.meta(`bytes-${part}`) ?? 0);
    }
    this.#changed = false;
  }
}
