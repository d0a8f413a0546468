import type { LogHealth } from '../../core/event-log.ts';
import { HEALTHY } from '../../core/event-log.ts';
import type { LogTrouble } from '../../core/log-trouble.ts';
import type { Redis } from 'ioredis';
import { HealthReport, NOT_TRIED_YET, troubleFrom } from './log-monitor.ts';
import type { LogMonitor, Trouble } from './log-monitor.ts';
import { saysNothing } from './redis-trouble.ts';

export interface RedisMonitorOptions {
  readonly commands: Redis;
  readonly subscriber: Redis;
  /** The pub/sub channel on which the probe is announced. */
  readonly name: string;
  /** Does what an append does (probe.lua); gives how many connections heard of it. */
  readonly probe: () => Promise<number>;
  /** Called when the answer changes, and now and then while it is bad. */
  readonly onHealth: (health: LogHealth) => void;
}

/** Between two probes, in ms. */
const INTERVAL = 2_000;
/** A probe that Redis accepted and that has not come back after so many ms is lost. */
const PATIENCE = 3_000;

const COMMANDS_CLOSED: Trouble = {
  reason: 'unreachable',
  detail: 'the connection for commands is closed',
};
const SUBSCRIBER_CLOSED: Trouble = {
  reason: 'unreachable',
  detail: 'the connection for announcements is closed',
};
const UNHEARD: Trouble = { reason: 'announcements', detail: 'announcements do not arrive' };
const SILENT: Trouble = { reason: 'timeout', detail: 'Redis does not answer in time' };
const LOADING: Trouble = { reason: 'LOADING', detail: 'LOADING Redis is loading its data' };

/** What Redis refuses a write with: the probe was announced before it. */
const ANNOUNCED: ReadonlySet<LogTrouble> = new Set(['READONLY', 'MISCONF', 'NOREPLICAS', 'OOM', 'WRONGTYPE']);

/**
 * Says whether Redis takes what is published and whether announcements arrive. It tries that out now and then: Redis may
 * answer and refuse all the same, and a subscriber connection hears nothing when nothing is published, and just as little
 * when it is silently dead.
 */
export class RedisMonitor implements LogMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #report: HealthReport;
  /** When a probe was first sent that has not come back; undefined when none is on its way. */
  #sentAt: number | undefined;
  /** Why nothing can be published; undefined when it can. */
  #refusal: Trouble | undefined = NOT_TRIED_YET;
  /** Why announcements do not arrive; undefined when they do. */
  #deafness: Trouble | undefined = NOT_TRIED_YET;
  #suspect = false;
  /** Why the last attempt to connect has failed, which is told rather than that there is no connection. */
  readonly #failures = new Map<Redis, Trouble>();

  constructor(options: RedisMonitorOptions) {
    this.#options = options;
    this.#report = new HealthReport(options.onHealth);
    const { commands, subscriber } = options;
    const arrived = Buffer.from(options.name);
    subscriber.on('messageBuffer', (channel: Buffer) => {
      if (channel.equals(arrived)) this.#arrived();
    });
    for (const connection of [commands, subscriber]) {
      // ioredis reports each failed attempt here; without a listener it would write to the console.
      const failed = (error: Error): void => {
        // One attempt may end in several errors, and the last of them says the least.
        if (saysNothing(error) && this.#failures.has(connection)) return;
        this.#failures.set(connection, troubleFrom(error));
      };
      connection.on('error', failed);
      // What one of several Sentinels has answered.
      connection.on('sentinelError', failed);
      connection.on('ready', () => this.#failures.delete(connection));
    }
    commands.on('ready', () => {
      this.#suspect = false;
      void this.#probe();
    });
    subscriber.on('ready', () => void this.#listen());
    commands.on('close', () => this.#closed());
    subscriber.on('close', () => {
      this.#deafness = this.#failures.get(subscriber) ?? SUBSCRIBER_CLOSED;
      this.#report.report(this.health);
    });
    this.#timer = setInterval(() => void this.#look(), INTERVAL);
    this.#timer.unref();
  }

  get health(): LogHealth {
    const trouble = this.#suspect ? SILENT : (this.#refusal ?? this.#deafness);
    return trouble === undefined ? HEALTHY : { up: false, slotsDown: 0, ...trouble };
  }

  get suspect(): boolean {
    return this.#suspect;
  }

  suspectNow(): void {
    if (this.#suspect) return;
    this.#suspect = true;
    this.#report.report(this.health);
    void this.#probe();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { commands } = this.#options;
    // Connecting has had its time; a first attempt that has just begun is no outage.
    if (commands.status === 'ready') await this.#probe();
    else if (await isLoading(commands)) this.#refused(LOADING);
    else this.#refused(this.#failures.get(commands) ?? COMMANDS_CLOSED);
  }

  async #listen(): Promise<void> {
    const { subscriber, name } = this.#options;
    this.#sentAt = undefined;
    try {
      await subscriber.subscribe(name);
    } catch (error) {
      // Where the connection broke, the next 'ready' tries again.
      if (subscriber.status !== 'ready') return;
      this.#deafness = troubleFrom(error as Error);
      this.#report.report(this.health);
    }
    await this.#probe();
  }

  async #probe(): Promise<void> {
    const { commands, subscriber, probe } = this.#options;
    const now = performance.now();
    if (this.#sentAt !== undefined && now - this.#sentAt > PATIENCE && subscriber.status === 'ready') {
      this.#sentAt = undefined;
      this.#deafness = UNHEARD;
      this.#report.report(this.health);
      subscriber.disconnect(true);
    }
    // As soon as it is ready there is a probe.
    if (commands.status !== 'ready') return;
    try {
      const heard = await probe();
      this.#suspect = false;
      this.#refusal = undefined;
      // What nobody has heard is not on its way: the subscription itself is missing or being made.
      if (heard > 0 || this.#deafness === undefined) this.#sent(now);
      this.#report.report(this.health);
    } catch (error) {
      const trouble = troubleFrom(error as Error);
      // A connection that broke says more by how it goes on.
      if (trouble.reason === 'unreachable') return;
      // A refusal is an answer.
      if (trouble.reason !== 'timeout') this.#suspect = false;
      if (ANNOUNCED.has(trouble.reason) && this.#deafness === undefined) this.#sent(now);
      this.#refused(trouble);
    }
  }

  #sent(now: number): void {
    if (this.#options.subscriber.status === 'ready') this.#sentAt ??= now;
  }

  #arrived(): void {
    this.#sentAt = undefined;
    this.#deafness = undefined;
    this.#report.report(this.health);
  }

  /** A connection that worked, or an attempt to make one that failed. */
  #closed(): void {
    const failure = this.#failures.get(this.#options.commands);
    if (failure !== undefined) this.#refused(failure);
    // Of one that refused everything it is told why, as long as it may come back at once: it was left to find another server.
    else if (this.#refusal === undefined || this.#refusal === NOT_TRIED_YET) this.#refused(COMMANDS_CLOSED);
  }

  #refused(trouble: Trouble): void {
    this.#refusal = trouble;
    this.#report.report(this.health);
  }
}

/** Until its data is loaded Redis answers to little else, and ioredis does not call the connection ready. */
async function isLoading(commands: Redis): Promise<boolean> {
  if (commands.status !== 'connect') return false;
  try {
    return (await commands.info('persistence')).includes('loading:1');
  } catch {
    return false;
  }
}
