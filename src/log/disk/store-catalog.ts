import type { StatementSync } from 'node:sqlite';
import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import { badListCursor } from '../event-log.ts';
import type { ChannelAbout, ChannelListPage, ChannelListRequest, HistoryPolicy } from '../event-log.ts';
import { eventId } from '../id-parts.ts';
import { channelState } from './channel-facts.ts';
import type { ChannelHistory } from './channel-history.ts';
import type { ChannelTable } from './channel-table.ts';
import type { Database } from './database.ts';
import type { LatestTable } from './latest-table.ts';
import { CHANNEL_BYTES } from './stored-usage.ts';

/** The most channels in a page. A page of this size takes some 10 ms. */
const MAX_PAGE = 5_000;
/** `~` and the last name of the page before. */
const CURSOR = /^~([A-Za-z0-9._:~-]{1,200})$/;

interface StoreCatalogOptions {
  readonly database: Database;
  readonly channels: ChannelTable;
  readonly history: ChannelHistory;
  readonly latest: LatestTable;
}

/** Answers questions about the channels of the log on disk. */
export class StoreCatalog {
  readonly #options: StoreCatalogOptions;
  readonly #names: StatementSync;

  constructor(options: StoreCatalogOptions) {
    this.#options = options;
    // No character of a name is behind `~`, so the prefix with U+007F is behind all names that begin with the prefix.
    this.#names = options.database.prepare(
      'SELECT name FROM channels WHERE name > ? AND name >= ? AND name < ? ORDER BY name LIMIT ?',
    );
  }

  about(channel: ChannelName, policy: HistoryPolicy): ChannelAbout {
    const { channels, history, latest } = this.#options;
    const facts = channels.find(channel);
    if (facts === undefined) {
      const tail = eventId(channels.unknownTail(channel));
      return { state: { tail, status: 'empty' }, first: null, length: 0, bytes: 0, keys: 0 };
    }
    const { first, length, bytes } = history.summary(facts, policy);
    const keys = latest.count(facts.number);
    const all = bytes + latest.bytes(facts.number) + CHANNEL_BYTES + 2 * channel.length;
    return { state: channelState(facts), first, length, bytes: all, keys };
  }

  countAfter(channel: ChannelName, positions: readonly EventId[], policy: HistoryPolicy): readonly number[] {
    const { channels, history } = this.#options;
    const facts = channels.find(channel);
    return facts === undefined ? positions.map(() => 0) : history.countAfter(facts, positions, policy);
  }

  /** Lists the channels in the order of their names. */
  list({ prefix, cursor, limit }: ChannelListRequest): ChannelListPage {
    const last = cursor === undefined ? '' : CURSOR.exec(cursor)?.[1];
    if (last === undefined) throw badListCursor();
    const most = Math.min(limit, MAX_PAGE);
    const end = `${prefix}\u{7f}`;
    const rows = this.#names.all(last, prefix, end, most + 1) as unknown as readonly [ChannelName][];
    const channels = rows.slice(0, most).map(([name]) => name);
    return { channels, next: rows.length > most ? `~${channels.at(-1)}` : undefined };
  }
}
