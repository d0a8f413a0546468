/** The form of the database. A release reads its own form, and refuses a newer one. */
export const FORMAT = 1;
/** `SLUI`: says that a SQLite file is a log of Sluice. */
export const APPLICATION_ID = 0x53_4c_55_49;

/** The bytes of a page. */
export const PAGE_SIZE = 4_096;

/** The file of the log in its folder. SQLite adds `-wal` and `-shm` to the name. */
export const DATABASE_FILE = 'sluice.db';

/**
 * The bits of an ordinal in `events.place`, below those of the channel's number. A place is an integer of SQLite, so that a row is
 * found by one number, and a row of up to 4 KB is in one page. JavaScript's numbers are too small for places: SQL makes them.
 */
export const ORDINAL_BITS = 36;
/** There are no larger numbers of channels. */
export const MAX_CHANNEL_NUMBER = 2 ** 27 - 1;
/** There are no larger ordinals. */
export const MAX_ORDINAL = 2 ** ORDINAL_BITS - 1;

/** The tables that can begin anew alone. */
const TABLES = {
  idempotency: `CREATE TABLE idempotency (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE,
  digest TEXT, ms INTEGER, seq INTEGER, at INTEGER, checksum INTEGER
);
`,
  latest: `CREATE TABLE latest (
  id INTEGER PRIMARY KEY,
  channel INTEGER, key TEXT, ms INTEGER, seq INTEGER, checksum INTEGER,
  record BLOB,
  UNIQUE (channel, key)
);
`,
};

/**
 * Selects columns with integers. node:sqlite refuses to read a row that has an integer above 2^53, which only damaged bytes can make.
 * The mask makes such a number readable, and the row's checksum tells that it is wrong.
 */
export function integers(...columns: readonly string[]): string {
  return columns.map((column) => `${column} & ${Number.MAX_SAFE_INTEGER}`).join(', ');
}

/**
 * - `meta`: single numbers: the log's clock, the breakpoint
 * - `channels`: see {@link ChannelFacts}. `tail_ms` and `tail_seq` count only when no row of `events` has an ordinal from `floor` on;
 *   then `floor` is the ordinal of the next event. `oldest_at` is the time of the oldest event, or earlier, and null without
 *   events. `idle_since` is when the channel lost its last event, and null with events
 * - `events`: `place` is the channel's number and the event's ordinal. The ordinals of a channel have no gaps, and ids and times
 *   grow with them. A row of up to 4 KB is in one page, which a table WITHOUT ROWID allows only up to 1 KB
 * - `garbage`: numbers of channels whose rows in `events` and `latest` are to be dropped
 * - `idempotency`: `key` is a digest of the position's name
 * - `forgotten`: for each part of the channel names, the newest id of the forgotten tails
 */
export const SCHEMA = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE channels (
  number INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  tail_ms INTEGER, tail_seq INTEGER, floor INTEGER, status INTEGER,
  size INTEGER, ttl INTEGER, oldest_at INTEGER, idle_since INTEGER, checksum INTEGER
);
CREATE INDEX channels_oldest ON channels (ttl, oldest_at) WHERE oldest_at IS NOT NULL;
CREATE INDEX channels_idle ON channels (idle_since) WHERE idle_since IS NOT NULL;
CREATE TABLE events (
  place INTEGER PRIMARY KEY,
  ms INTEGER, seq INTEGER, prev_ms INTEGER, prev_seq INTEGER, at INTEGER, checksum INTEGER,
  record BLOB
);
CREATE TABLE garbage (channel INTEGER PRIMARY KEY);
${TABLES.idempotency}${TABLES.latest}CREATE INDEX latest_by_channel ON latest (channel);
CREATE TABLE forgotten (part INTEGER PRIMARY KEY, ms INTEGER, seq INTEGER);
CREATE TABLE revocations (key TEXT PRIMARY KEY, until INTEGER) WITHOUT ROWID;
CREATE INDEX revocations_by_age ON revocations (until);
`;

/** Renames a damaged table, which may not even let itself be dropped, and makes a new one. */
export function newTable(table: keyof typeof TABLES, now: number): string {
  const index = table === 'latest' ? `CREATE INDEX latest_by_channel_${now} ON latest (channel);` : '';
  return `ALTER TABLE ${table} RENAME TO ${table}_damaged_${now}; ${TABLES[table]} ${index}`;
}
