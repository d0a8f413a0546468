import { crc32 } from 'node:zlib';
import type { StatementSync } from 'node:sqlite';
import type { ChannelName } from '../../events/channel-name.ts';
import { isAfter } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';
import type { Database } from './database.ts';

/** Into how many parts the channel names are divided. */
const PARTS = 4_096;
const ORIGIN_PARTS: IdParts = { ms: 0, seq: 0 };

/**
 * The newest id of the forgotten tails, for each part of the channel names. It is the tail of every unknown channel of the part,
 * because an unknown channel may have had events up to this id. So no id is used twice, and a subscriber at an older position gets
 * a gap. With one id for all names, a forgotten channel would cause gaps in all unknown channels.
 */
export class ForgottenTails {
  readonly #select: StatementSync;
  readonly #save: StatementSync;
  readonly #parts = new Map<number, IdParts>();

  constructor(database: Database) {
    this.#select = database.prepare('SELECT part, ms, seq FROM forgotten');
    this.#save = database.prepare('INSERT OR REPLACE INTO forgotten VALUES (?, ?, ?)');
    this.reload();
  }

  /** Reads all parts. To be called after a transaction was rolled back. */
  reload(): void {
    this.#parts.clear();
    for (const [part, ms, seq] of this.#select.all() as unknown as [number, number, number][])
      this.#parts.set(part, { ms, seq });
  }

  of(name: ChannelName): IdParts {
    return this.#parts.get(partOf(name)) ?? ORIGIN_PARTS;
  }

  raise(name: ChannelName, tail: IdParts): void {
    if (!isAfter(tail, this.of(name))) return;
    const part = partOf(name);
    this.#save.run(part, tail.ms, tail.seq);
    this.#parts.set(part, { ms: tail.ms, seq: tail.seq });
  }
}

function partOf(name: ChannelName): number {
  return crc32(name) % PARTS;
}
