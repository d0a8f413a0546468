import type { StatementSync } from 'node:sqlite';
import { isDamage } from './damage.ts';
import type { Database } from './database.ts';
import { MAX_CHANNEL_NUMBER, ORDINAL_BITS } from './schema.ts';

/** How many numbers are tried before the search for an unused one is given up. Nearly always the first one is unused. */
const MAX_TRIES = 1_000;

/**
 * The numbers of channels. Numbers go up, so that the rows of a new channel are together. When the largest number is reached, numbers
 * are used again that no row has any more.
 */
export class ChannelNumbers {
  readonly #largest: readonly StatementSync[];
  readonly #isUsed: StatementSync;
  #last = 0;

  constructor(database: Database) {
    this.#largest = [
      'SELECT max(number) FROM channels',
      'SELECT max(channel) FROM garbage',
      `SELECT max(place) >> ${ORDINAL_BITS} FROM events`,
      'SELECT max(channel) FROM latest',
    ].map((sql) => database.prepare(sql));
    this.#isUsed = database.prepare(`SELECT
      EXISTS (SELECT 1 FROM channels WHERE number = ?1)
      OR EXISTS (SELECT 1 FROM garbage WHERE channel = ?1)
      OR EXISTS (SELECT 1 FROM events WHERE place >= ?1 << ${ORDINAL_BITS} AND place < (?1 + 1) << ${ORDINAL_BITS})
      OR EXISTS (SELECT 1 FROM latest WHERE channel = ?1)`);
    this.reload();
  }

  /** Reads the largest number. To be called after a transaction was rolled back. */
  reload(): void {
    this.#last = Math.max(0, ...this.#largest.map((statement) => numberOf(statement) ?? 0));
  }

  /** Returns a number that no row has. */
  next(): number {
    if (this.#last < MAX_CHANNEL_NUMBER) return ++this.#last;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const number = 1 + Math.floor(Math.random() * MAX_CHANNEL_NUMBER);
      if (numberOf(this.#isUsed, number) === 0) return number;
    }
    throw new Error('There is no number for another channel.');
  }
}

/** Returns undefined when a page is damaged: one page must not make the whole log unreadable. */
function numberOf(statement: StatementSync, ...parameters: number[]): number | undefined {
  try {
    const row = statement.get(...parameters) as unknown as [number | null] | undefined;
    return row?.[0] ?? undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  }
}
