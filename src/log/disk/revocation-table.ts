import type { StatementSync } from 'node:sqlite';
import type { StoredRevocation } from './storage.ts';
import type { Database } from './database.ts';

interface RevocationTableOptions {
  /** How long a revocation is kept after its time, in ms. */
  readonly ttl: number;
  /** Returns epoch ms. */
  readonly wallClock: () => number;
}

/** The revocations, so that they outlive a restart. */
export class RevocationTable {
  readonly #options: RevocationTableOptions;
  readonly #keep: StatementSync;
  readonly #page: StatementSync;
  readonly #expire: StatementSync;

  constructor(database: Database, options: RevocationTableOptions) {
    this.#options = options;
    this.#keep = database.prepare(
      `INSERT INTO revocations (key, until) VALUES (?, ?)
        ON CONFLICT (key) DO UPDATE SET until = max(until, excluded.until)`,
    );
    this.#page = database.prepare(
      'SELECT key, until FROM revocations WHERE key > ? AND until > ? ORDER BY key LIMIT ?',
    );
    this.#expire = database.prepare(
      'DELETE FROM revocations WHERE key IN (SELECT key FROM revocations WHERE until <= ? LIMIT ?)',
    );
  }

  /** Keeps the revocations. Of two with one key, the later one is kept. */
  keep(revocations: readonly StoredRevocation[]): void {
    for (const { key, until } of revocations) this.#keep.run(key, until);
  }

  /** Returns revocations in force, in the order of their keys, after `after`. */
  page(after: string, limit: number): readonly StoredRevocation[] {
    const rows = this.#page.all(after, this.#oldest(), limit) as unknown as readonly [string, number][];
    return rows.map(([key, until]) => ({ key, until }));
  }

  /** Drops at most `most` revocations that are no longer in force. Returns how many. */
  expire(most: number): number {
    return Number(this.#expire.run(this.#oldest(), most).changes);
  }

  #oldest(): number {
    return this.#options.wallClock() - this.#options.ttl;
  }
}
