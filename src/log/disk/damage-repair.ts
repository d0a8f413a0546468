import { ChannelDamage, GarbageDamage, TableDamage, isDamage } from './damage.ts';
import { sqliteCode } from './database.ts';
import { LogStartError } from './log-start-error.ts';
import { OpenStore } from './open-store.ts';
import { newTable } from './schema.ts';
import { readableRevocations, setAside } from './set-aside.ts';
import type { StoreTablesOptions } from './store-tables.ts';

/** The code of SQLite for a table that is not there, among others. */
const SQLITE_ERROR = 1;

/**
 * Keeps a damaged database going. What is damaged begins anew: a channel, a table, or else the whole database. The damaged file is then
 * renamed, so that its content can be recovered by hand.
 */
export class DamageRepair {
  readonly #options: StoreTablesOptions;
  #open: OpenStore;
  #isNew = false;
  /** The write-ahead log of a database that was set aside while a sync of it may have been under way. */
  #former: OpenStore | undefined;

  /**
   * @param found whether the folder has had a log: then a file that is not a database is a damaged one; and the time of an event of
   *   that log
   * @throws LogStartError, or an error of node:sqlite or of the file system
   */
  constructor(
    options: StoreTablesOptions,
    found: { readonly isKnown: boolean; readonly newestMs: number | undefined },
  ) {
    this.#options = options;
    try {
      this.#open = new OpenStore(options);
    } catch (error) {
      const isDamaged = isDamage(error) || sqliteCode(error) === SQLITE_ERROR;
      if (!isDamaged && !(found.isKnown && error instanceof LogStartError && error.isForeign)) throw error;
      this.#open = this.#beginAnew(found.newestMs ?? 0);
    }
  }

  get open(): OpenStore {
    return this.#open;
  }

  /** Whether the database that was found was set aside. */
  get isNew(): boolean {
    return this.#isNew;
  }

  /** Does the work. When something is damaged, repairs it and does the work again. */
  attempt<T>(work: () => T): T {
    let tried: Set<string> | undefined;
    for (;;) {
      try {
        return work();
      } catch (error) {
        tried ??= new Set();
        if (!this.#repair(error, tried)) throw error;
      }
    }
  }

  close(): void {
    this.#open.close();
    this.#former?.closeWal();
  }

  /** Returns false when the error is no damage, or when nothing helps. */
  #repair(error: unknown, tried: Set<string>): boolean {
    const part = partOf(error);
    if (part === undefined || tried.has('all')) return false;
    if (!tried.has(part)) {
      tried.add(part);
      try {
        this.#renew(error);
        return true;
      } catch (failure) {
        if (!isDamage(failure)) throw failure;
      }
    }
    tried.add('all');
    this.#setAside();
    return true;
  }

  /** Lets the damaged part begin anew, in a transaction of its own. */
  #renew(error: unknown): void {
    const { report } = this.#options;
    const { tables } = this.#open;
    const reindex = (): void => tables.database.exec('REINDEX channels');
    if (error instanceof ChannelDamage) {
      const replace = (): void => {
        tables.channels.replace(error.channel, tables.clock.now());
        tables.usage.save();
      };
      try {
        this.#open.write(replace);
      } catch (failure) {
        if (!isDamage(failure) && !(failure instanceof RangeError)) throw failure;
        this.#open.write(reindex);
        this.#open.write(replace);
      }
      report.channel(error.channel);
    } else if (error instanceof TableDamage) {
      const { table } = error;
      this.#open.write(() => {
        tables.database.exec(newTable(table, tables.clock.now()));
        if (table === 'latest') tables.usage.empty('latest');
        tables.usage.save();
      });
      tables.latest.dropCache();
      report.table(table);
    } else if (!(error instanceof GarbageDamage)) {
      this.#open.write(reindex);
    }
  }

  #setAside(): void {
    const former = this.#open;
    const { tables } = former;
    const { clock, channels, appends } = tables;
    const now = Math.max(clock.wall(), clock.now(), appends.newest?.tailMs ?? 0);
    const revocations = readableRevocations(tables.revocations);
    try {
      tables.database.close();
    } catch {
      // The files are renamed all the same.
    }
    this.#former?.closeWal();
    this.#former = former;
    this.#open = this.#beginAnew(now);
    const { tables: fresh } = this.#open;
    for (const channel of channels.followed) fresh.channels.follow(channel, true);
    this.#open.write(() => fresh.revocations.keep(revocations));
  }

  /** @param after the new log begins after this time (epoch ms) */
  #beginAnew(after: number): OpenStore {
    const file = setAside(this.#options.folder);
    const open = new OpenStore(this.#options);
    const { channels, clock } = open.tables;
    open.write(() => channels.breakAt(1 + Math.max(after, clock.wall(), clock.now())));
    this.#isNew = true;
    this.#options.report.database(file);
    return open;
  }
}

/** A word for what is damaged; undefined when the error is no damage. */
function partOf(error: unknown): string | undefined {
  if (error instanceof ChannelDamage) return `channel ${error.channel}`;
  if (error instanceof TableDamage) return `table ${error.table}`;
  if (error instanceof GarbageDamage) return `garbage ${error.channel}`;
  return isDamage(error) ? 'indexes' : undefined;
}
