import type { Logger } from 'pino';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { StorageNotice } from '../log/disk/storage.ts';
import type { LogHealth } from '../log/event-log.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import { RareNotice } from '../observe/rare-notice.ts';
import type { LogNotices } from './backbone.ts';

/** How long the log may be down while this replica stays ready, in ms. A failover takes less time. */
const READINESS_GRACE_MS = 15_000;
/** Between two log lines about the same kind of refusal while the log is up, in ms. */
const NOTICE_INTERVAL_MS = 60_000;

/** How many changes of the log's health get a log line at once; then one in an interval (ms). */
const MAX_CHANGES = 10;
const CHANGES_INTERVAL_MS = 10_000;

/** What each kind of notice of the log on disk means. */
const NOTICES: Readonly<Record<StorageNotice['kind'], string>> = {
  damaged: 'a part of the log is damaged; subscribers that miss events get a gap',
  lost: 'acknowledged events are missing at the end of the log; subscribers get a gap',
  small: 'the disk has less room than SLUICE_DATA_BYTES; the log takes less',
  evicting: 'the space of SLUICE_DATA_BYTES is used up; the oldest events are removed before their time',
};

/** Troubles of the whole log, which are reported once and not for each channel. */
const OUTAGES: ReadonlySet<LogTrouble> = new Set<LogTrouble>(['unreachable', 'timeout', 'disk']);

/** Logs when the log goes down or comes up, and remembers since when it is down. */
export class LogWatch implements LogNotices {
  readonly #logger: Logger;
  /** Where the events are. */
  readonly #place: string;
  readonly #refusals: RareNotice<LogTrouble, string>;
  readonly #unreadable: RareNotice<LogTrouble, ChannelName>;
  readonly #changes: HealthChanges;
  #up = false;
  #everUp = false;
  #downSince = performance.now();

  constructor(logger: Logger, place: 'embedded' | 'disk' | 'redis') {
    this.#logger = logger;
    this.#place = place;
    this.#changes = new HealthChanges((health, unlogged) => this.#report(health, unlogged));
    this.#refusals = new RareNotice(
      (reason, times, words) =>
        logger.warn({ reason, detail: words, times }, 'redis: refuses a command; other commands succeed'),
      NOTICE_INTERVAL_MS,
    );
    this.#unreadable = new RareNotice(
      (reason, times, channel) =>
        logger.warn(
          { reason, channel, times },
          'a channel cannot be read or followed; its subscribers wait, and the broker tries again',
        ),
      NOTICE_INTERVAL_MS,
    );
  }

  readonly onHealth = (health: LogHealth): void => {
    const { up } = health;
    this.#changes.note(health);
    if (this.#up && !up) this.#downSince = performance.now();
    this.#up = up;
    this.#everUp ||= up;
  };

  /** @param unlogged how many changes since the last line have no line */
  #report({ up, reason, detail, slotsDown }: LogHealth, unlogged: number | undefined): void {
    const place = this.#place;
    if (up && reason === '') this.#logger.info({ unlogged }, `${place}: up`);
    else if (up)
      this.#logger.warn(
        { reason, slotsDown, detail, unlogged },
        'redis: partly down; publishes to channels in these slots get 503',
      );
    else
      this.#logger.warn({ reason, detail, unlogged }, `${place}: down; streams stay open, publishes get 503`);
  }

  readonly onLogRefused = (reason: LogTrouble, words: string): void => this.#refusals.note(reason, words);

  /** Called for a channel with subscribers. Skips outages of the whole log, because onHealth reports them. */
  readonly onTrouble = (channel: ChannelName, error: unknown): void => {
    const reason = (error instanceof BrokerError ? error.trouble : undefined) ?? 'other';
    if (!OUTAGES.has(reason)) this.#unreadable.note(reason, channel);
  };

  readonly onEviction = (policy: string): void =>
    this.#logger.warn(
      { policy },
      'redis: its maxmemory-policy may evict events, and subscribers then get gaps; set noeviction',
    );

  readonly onNotice = ({ kind, channel, detail }: StorageNotice): void =>
    this.#logger.warn({ kind, channel, detail }, `disk: ${NOTICES[kind]}`);

  /** Whether the log is on disk, and the disk fails or does not answer. */
  get diskFails(): boolean {
    return this.#place === 'disk' && !this.#up;
  }

  /** Whether this replica is ready while the log is in this state. */
  isTolerable({ up }: LogHealth): boolean {
    return up || (this.#everUp && performance.now() - this.#downSince < READINESS_GRACE_MS);
  }
}

/**
 * Reports the health of the log when it changes. A log that goes up and down all the time gets a few lines at once and then one line
 * in an interval. The last state is always reported.
 */
class HealthChanges {
  readonly #report: (health: LogHealth, unlogged: number | undefined) => void;
  #last: LogHealth | undefined;
  #lines = 0;
  #unlogged = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(report: (health: LogHealth, unlogged: number | undefined) => void) {
    this.#report = report;
  }

  note(health: LogHealth): void {
    const before = this.#last;
    this.#last = health;
    if (JSON.stringify(before) === JSON.stringify(health)) return;
    this.#timer ??= setInterval(() => this.#pass(), CHANGES_INTERVAL_MS).unref();
    if (this.#lines < MAX_CHANGES) this.#write(health);
    else this.#unlogged++;
  }

  /** The interval has passed. */
  #pass(): void {
    this.#lines = Math.max(0, this.#lines - 1);
    if (this.#unlogged > 0 && this.#last !== undefined) this.#write(this.#last);
    if (this.#lines > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #write(health: LogHealth): void {
    const unlogged = this.#unlogged;
    this.#unlogged = 0;
    this.#lines++;
    this.#report(health, unlogged > 0 ? unlogged : undefined);
  }
}
