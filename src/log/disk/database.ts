import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import { LogStartError } from './log-start-error.ts';
import { APPLICATION_ID, FORMAT, SCHEMA } from './schema.ts';

/** The primary result codes of SQLite that decide what happens next (https://sqlite.org/rescode.html). */
export const SQLITE_CORRUPT = 11;
export const SQLITE_CONSTRAINT = 19;
export const SQLITE_NOTADB = 26;

/** The major and the minor version. */
const OLDEST_SQLITE = [3, 51] as const;
/** Statements that return rows. */
const READS_ROWS = /^\s*(SELECT|PRAGMA)|RETURNING/;

/** A row as an array: it costs less than an object. */
export type Row = readonly SQLInputValue[];

/**
 * The connection to the database. When {@link transaction} returns, the operating system has the commit, but has not synced it:
 * `synchronous=NORMAL` syncs only at a checkpoint.
 */
export class Database {
  readonly #sqlite: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #getMeta: StatementSync;
  readonly #setMeta: StatementSync;

  /**
   * Opens a database, or makes one.
   * @param cacheBytes the memory for pages
   * @throws LogStartError when the file is not a log of Sluice, or one of a newer format; an error of node:sqlite
   */
  constructor(path: string, cacheBytes: number) {
    refuseOldSqlite();
    this.#sqlite = new DatabaseSync(path, { enableForeignKeyConstraints: false });
    try {
      prepareFile(this.#sqlite, path, cacheBytes);
    } catch (error) {
      this.#sqlite.close();
      throw error;
    }
    this.#begin = this.prepare('BEGIN IMMEDIATE');
    this.#commit = this.prepare('COMMIT');
    this.#rollback = this.prepare('ROLLBACK');
    this.#getMeta = this.prepare('SELECT value FROM meta WHERE name = ?');
    this.#setMeta = this.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
  }

  /** Rows are arrays. Parameters are best bound by position. */
  prepare(sql: string): StatementSync {
    const statement = this.#sqlite.prepare(sql);
    statement.setReturnArrays(true);
    // `run` returns the last rowid of the connection, and throws when it is above 2^53, as places of events are. Rows are read as numbers.
    if (!READS_ROWS.test(sql)) statement.setReadBigInts(true);
    return statement;
  }

  exec(sql: string): void {
    this.#sqlite.exec(sql);
  }

  /** Does the work in one transaction. Rolls back when it throws. Inside another transaction, the work is a part of that one. */
  transaction<T>(work: () => T): T {
    if (this.#sqlite.isTransaction) return work();
    this.#begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      // SQLite itself rolls back after some errors.
      if (this.#sqlite.isTransaction) this.#rollback.run();
      throw error;
    }
  }

  /**
   * Iterates over the rows of a query.
   * @param parameters bound by position
   */
  *rows<T extends Row>(statement: StatementSync, ...parameters: SQLInputValue[]): Generator<T> {
    try {
      yield* statement.iterate(...parameters) as unknown as Iterable<T>;
    } catch (error) {
      // After an error, node:sqlite leaves the statement as it is, and its next use throws the same error again.
      try {
        statement.get(...parameters);
      } catch {
        // It is that error.
      }
      throw error;
    }
  }

  /** Runs a query that gives one number. */
  number(statement: StatementSync, ...parameters: SQLInputValue[]): number | undefined {
    const row = statement.get(...parameters) as unknown as Row | undefined;
    return row === undefined || row[0] === null ? undefined : Number(row[0]);
  }

  meta(name: string): number | undefined {
    return this.number(this.#getMeta, name);
  }

  setMeta(name: string, value: number): void {
    this.#setMeta.run(name, value);
  }

  close(): void {
    this.#sqlite.close();
  }
}

/** The primary code of an error of SQLite; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown };
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined;
}

function prepareFile(sqlite: DatabaseSync, path: string, cacheBytes: number): void {
  const pragma = (name: string): number => {
    const statement = sqlite.prepare(`PRAGMA ${name}`);
    statement.setReturnArrays(true);
    return Number((statement.get() as unknown as Row)[0]);
  };
  try {
    const application = pragma('application_id');
    const isNew = application === 0 && pragma('user_version') === 0 && pragma('schema_version') === 0;
    if (!isNew && application !== APPLICATION_ID) throw foreignFile(path);
    // In a database that has tables this would write a page, and hide from the witness that frames are missing.
    if (isNew) sqlite.exec('PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL');
  } catch (error) {
    if (sqliteCode(error) === SQLITE_NOTADB) throw foreignFile(path);
    throw error;
  }
  const format = pragma('user_version');
  if (format > FORMAT)
    throw new LogStartError(
      `${path} was written by a newer version of Sluice (format ${format}; this version knows ${FORMAT}). Start that version, or set SLUICE_DATA_DIR to another folder.`,
    );
  sqlite.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA temp_store = MEMORY;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA cache_size = -${Math.max(1_024, Math.floor(cacheBytes / 1_024))};
  `);
  if (format < FORMAT)
    sqlite.exec(
      `BEGIN; ${SCHEMA} PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; COMMIT;`,
    );
}

/** An older SQLite takes the unknown mode NOOP of a checkpoint for PASSIVE, so that each commit would be a checkpoint. */
function refuseOldSqlite(): void {
  const { sqlite = '0' } = process.versions;
  const [major = 0, minor = 0] = sqlite.split('.').map(Number);
  if (major > OLDEST_SQLITE[0] || (major === OLDEST_SQLITE[0] && minor >= OLDEST_SQLITE[1])) return;
  throw new LogStartError(
    `This Node has SQLite ${sqlite}, and the log on disk needs ${OLDEST_SQLITE.join('.')} or newer. Node has it from 22.22.2 and from 24.14 on. In a checkout, "npm start" uses the pinned Node.`,
  );
}

function foreignFile(path: string): LogStartError {
  return new LogStartError(
    `${path} is not a log of Sluice. Move the file away, or set SLUICE_DATA_DIR to another folder.`,
    { isForeign: true },
  );
}
