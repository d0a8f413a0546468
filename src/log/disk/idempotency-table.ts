import { hash } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { IdParts } from '../id-parts.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import type { Database } from './database.ts';
import { integers } from './schema.ts';

/** Bytes of the digest of a name: enough that no two names ever have the same, and shorter than most names. */
const KEY_BYTES = 16;

type IdempotencyRow = [digest: string, ms: number, seq: number, at: number, checksum: number];

/** The id that each idempotency key has led to, and a digest. A row with a larger id is newer. */
export class IdempotencyTable {
  readonly #ttl: number;
  readonly #select: StatementSync;
  readonly #insert: StatementSync;
  readonly #oldest: StatementSync;
  readonly #newest: StatementSync;
  readonly #expire: StatementSync;
  readonly #database: Database;

  /** @param ttl how long a key is remembered, in ms */
  constructor(database: Database, ttl: number) {
    this.#ttl = ttl;
    this.#database = database;
    this.#oldest = database.prepare('SELECT min(id) FROM idempotency');
    this.#newest = database.prepare('SELECT max(id) FROM idempotency');
    // The oldest rows have the smallest ids. Only those rows are read, so that this is always fast.
    this.#expire = database.prepare(
      `DELETE FROM idempotency WHERE id IN
        (SELECT id FROM (SELECT id, at FROM idempotency ORDER BY id LIMIT ?2) WHERE at <= ?1)`,
    );
    this.#select = database.prepare(
      `SELECT digest, ${integers('ms', 'seq', 'at', 'checksum')} FROM idempotency WHERE key = ?`,
    );
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO idempotency (key, digest, ms, seq, at, checksum) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  /** Returns the id that is remembered for the position, or `reused` when another digest is remembered. */
  recall({ name, digest }: KeyedPosition, now: number): IdParts | 'reused' | undefined {
    const row = this.#select.get(keyOf(name)) as unknown as IdempotencyRow | undefined;
    if (row === undefined) return undefined;
    const [known, ms, seq, at, checksum] = row;
    if (at <= now - this.#ttl || checksum !== checksumOf(name, known, ms, seq, at)) return undefined;
    return known === digest ? { ms, seq } : 'reused';
  }

  /** About how many keys there are. */
  get span(): number {
    const oldest = this.#database.number(this.#oldest);
    return oldest === undefined ? 0 : (this.#database.number(this.#newest) ?? oldest) - oldest + 1;
  }

  /** Drops at most `most` keys that are no longer remembered. Returns how many. */
  expire(now: number, most: number): number {
    return Number(this.#expire.run(now - this.#ttl, most).changes);
  }

  /** Drops the oldest keys. Returns how many. */
  dropOldest(most: number): number {
    return Number(this.#expire.run(Number.MAX_SAFE_INTEGER, most).changes);
  }

  set({ name, digest }: KeyedPosition, ms: number, seq: number, now: number): void {
    this.#insert.run(keyOf(name), digest, ms, seq, now, checksumOf(name, digest, ms, seq, now));
  }
}

function keyOf(name: string): Uint8Array {
  return hash('sha256', name, 'buffer').subarray(0, KEY_BYTES);
}

function checksumOf(name: string, digest: string, ms: number, seq: number, at: number): number {
  return crc32(`${name} ${digest} ${ms} ${seq} ${at}`);
}
