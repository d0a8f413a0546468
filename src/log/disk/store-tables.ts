import type { ChannelName } from '../../events/channel-name.ts';
import { ChannelAppends } from './channel-appends.ts';
import { ChannelHistory } from './channel-history.ts';
import { ChannelTable } from './channel-table.ts';
import type { DamageReport } from './damage.ts';
import { guardTable } from './damage.ts';
import { Database } from './database.ts';
import { DiskSpace } from './disk-space.ts';
import { EventTable } from './event-table.ts';
import { ForgottenTails } from './forgotten-tails.ts';
import { IdempotencyTable } from './idempotency-table.ts';
import { LatestTable } from './latest-table.ts';
import { LogClock } from './log-clock.ts';
import { Maintenance } from './maintenance.ts';
import { Retention } from './retention.ts';
import { RevocationTable } from './revocation-table.ts';
import { StoreCatalog } from './store-catalog.ts';
import { StoredUsage } from './stored-usage.ts';
import type { StorageOptions } from './storage.ts';

/** The share of the memory for pages of the database, and the share for facts of channels. */
const CACHE_SHARE = 1 / 8;
/** The share of the disk for the states of channels. */
const LATEST_SHARE = 1 / 4;

export interface StoreTablesOptions extends StorageOptions {
  readonly report: DamageReport;
  /** Called when readable events are dropped to make room. */
  readonly onEvicted: (dropped: { readonly events?: number; readonly keys?: number }) => void;
}

/** The database and its tables. */
export class StoreTables {
  readonly database: Database;
  readonly clock: LogClock;
  readonly usage: StoredUsage;
  readonly channels: ChannelTable;
  readonly events: EventTable;
  readonly latest: LatestTable;
  readonly idempotency: IdempotencyTable;
  readonly revocations: RevocationTable;
  readonly history: ChannelHistory;
  readonly catalog: StoreCatalog;
  readonly appends: ChannelAppends;
  readonly space: DiskSpace;
  readonly maintenance: Maintenance;

  /** @throws LogStartError, or an error of node:sqlite */
  constructor(path: string, options: StoreTablesOptions) {
    const { dataBytes, memoryBytes, report, onEvicted } = options;
    const cacheBytes = memoryBytes * CACHE_SHARE;
    const database = new Database(path, cacheBytes);
    this.database = database;
    try {
      const clock = new LogClock(database, options);
      this.clock = clock;
      const usage = new StoredUsage(database);
      this.usage = usage;
      const events = new EventTable(database);
      this.events = events;
      const forgotten = new ForgottenTails(database);
      const onDamage = (name: ChannelName): void => report.event(name, 'newest');
      const channels = new ChannelTable({ database, events, forgotten, clock, usage, cacheBytes, onDamage });
      this.channels = channels;
      const latest = new LatestTable(database, usage, {
        limit: dataBytes * LATEST_SHARE,
        onEvicted: (keys) => onEvicted({ keys }),
        onDamaged: (channel, id) => report.key(channels.nameOf(channel), id),
      });
      this.latest = latest;
      const idempotency = new IdempotencyTable(database, options.idempotencyTtl);
      this.idempotency = idempotency;
      const wallClock = (): number => clock.wall();
      const revocations = new RevocationTable(database, { ttl: options.revocationTtl, wallClock });
      this.revocations = revocations;
      const history = new ChannelHistory({
        events,
        now: () => clock.now(),
        onDamage: ({ name }, ordinal) => report.event(name, ordinal),
      });
      this.history = history;
      this.catalog = new StoreCatalog({ database, channels, history, latest });
      const retention = new Retention({ database, channels, events, clock, onEvicted });
      const space = new DiskSpace(database, dataBytes);
      this.space = space;
      const parts = { database, channels, events, latest, idempotency, revocations, retention, usage, space };
      this.maintenance = new Maintenance({ ...parts, clock, dataBytes });
      this.appends = new ChannelAppends({
        channels,
        events,
        idempotency: {
          recall: (...of) => guardTable('idempotency', () => idempotency.recall(...of)),
          set: (...of) => guardTable('idempotency', () => idempotency.set(...of)),
        },
        latest: {
          set: (...of) => guardTable('latest', () => latest.set(...of)),
          delete: (...of) => guardTable('latest', () => latest.delete(...of)),
          trim: (...of) => guardTable('latest', () => latest.trim(...of)),
        },
        clock,
        makeRoom: (bytes) => this.maintenance.makeRoom(bytes),
      });
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** To be called after a transaction was rolled back. */
  dropCache(): void {
    this.channels.dropCache();
    this.appends.forgetNewest();
    this.latest.dropCache();
    this.maintenance.reset();
  }
}
