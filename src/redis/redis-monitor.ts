import type { LogHealth } from '../log/event-log.ts';
import { HEALTHY } from '../log/event-log.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { Redis } from 'ioredis';
import { HealthReport, NOT_TRIED_YET, troubleFrom } from './log-monitor.ts';
import type { LogMonitor, Trouble } from './log-monitor.ts';
import { lastFailureOf } from './redis-connections.ts';
import type { SubscriberConnection } from './subscriber-connection.ts';

export interface RedisMonitorOptions {
  readonly commands: Redis;
  readonly subscriber: SubscriberConnection;
  /** The pub/sub channel on which the probe is announced. */
  readonly name: string;
  /** Runs probe.lua, which calls the commands of an append. Returns how many connections received its announcement. */
  readonly probe: () => Promise<number>;
  /** Called when the health changes, and about once a minute while it is not good. */
  readonly onHealth: (health: LogHealth) => void;
}

/** Between two probes, in ms. */
const PROBE_INTERVAL_MS = 2_000;
/** The announcement of an accepted probe counts as lost after this time, in ms. */
const PROBE_LOST_MS = 3_000;

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

/** Refusals of the probe's writes. The probe announces before it writes, so its announcement was sent in spite of them. */
const ANNOUNCED: ReadonlySet<LogTrouble> = new Set(['READONLY', 'MISCONF', 'NOREPLICAS', 'OOM', 'WRONGTYPE']);

/**
 * Checks every 2 s whether Redis accepts publishes and whether announcements arrive. It runs a real append, because Redis may
 * answer and still refuse writes. It awaits the announcement, because a subscriber connection may be dead without an error.
 */
export class RedisMonitor implements LogMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #report: HealthReport;
  /** When the oldest probe was sent whose announcement has not arrived; undefined when no announcement is awaited. */
  #sentAt: number | undefined;
  /** Why Redis accepts no publishes; undefined when it accepts them. */
  #refusal: Trouble | undefined = NOT_TRIED_YET;
  /** Why announcements do not arrive; undefined when they arrive. */
  #deafness: Trouble | undefined = NOT_TRIED_YET;
  #suspect = false;
  readonly #commandsFailure: () => Error | undefined;

  constructor(options: RedisMonitorOptions) {
    this.#options = options;
    this.#report = new HealthReport(options.onHealth);
    const { commands, subscriber, name } = options;
    this.#commandsFailure = lastFailureOf(commands);
    commands.on('ready', () => {
      this.#suspect = false;
      void this.#probe();
    });
    commands.on('close', () => this.#closed());
    subscriber.subscribe(name, {
      separate: true,
      onSubscribed: () => void this.#probe(),
      onInterrupted: () => (this.#sentAt = undefined),
      onMessage: () => this.#heard(),
      onSubscribeRefused: (error) => this.#setDeafness(troubleFrom(error)),
    });
    subscriber.onClosed(() => {
      const { failure } = subscriber;
      this.#setDeafness(failure === undefined ? SUBSCRIBER_CLOSED : troubleFrom(failure));
    });
    this.#timer = setInterval(() => void this.#check(), PROBE_INTERVAL_MS);
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

  async #check(): Promise<void> {
    const { commands } = this.#options;
    // The first check runs 2 s after the first attempt to connect, so a connection that is not ready is an outage.
    if (commands.status === 'ready') await this.#probe();
    else if (await isLoading(commands)) this.#setRefusal(LOADING);
    else this.#setRefusal(this.#whyNoCommands() ?? COMMANDS_CLOSED);
  }

  async #probe(): Promise<void> {
    const { commands, subscriber, probe } = this.#options;
    const now = performance.now();
    if (this.#sentAt !== undefined && now - this.#sentAt > PROBE_LOST_MS && subscriber.ready) {
      this.#sentAt = undefined;
      this.#setDeafness(UNHEARD);
      subscriber.reconnect();
    }
    // A probe runs when the connection is ready.
    if (commands.status !== 'ready') return;
    try {
      const heard = await probe();
      this.#suspect = false;
      this.#refusal = undefined;
      // When no connection received the announcement, none is awaited: the subscription is missing or being made.
      if (heard > 0 || this.#deafness === undefined) this.#sent(now);
      this.#report.report(this.health);
    } catch (error) {
      const trouble = troubleFrom(error as Error);
      // The next attempt to connect gives a better reason than the broken connection.
      if (trouble.reason === 'unreachable') return;
      // A Redis that refuses does answer in time.
      if (trouble.reason !== 'timeout') this.#suspect = false;
      if (ANNOUNCED.has(trouble.reason) && this.#deafness === undefined) this.#sent(now);
      this.#setRefusal(trouble);
    }
  }

  #sent(now: number): void {
    if (this.#options.subscriber.ready) this.#sentAt ??= now;
  }

  /** The announcement of a probe has arrived. */
  #heard(): void {
    this.#sentAt = undefined;
    this.#deafness = undefined;
    this.#report.report(this.health);
  }

  /** The connection for commands was closed, or an attempt to make it has failed. */
  #closed(): void {
    const failure = this.#whyNoCommands();
    if (failure !== undefined) this.#setRefusal(failure);
    // Keeps the reason of a server that refused all commands: the connection was closed to find another server.
    else if (this.#refusal === undefined || this.#refusal === NOT_TRIED_YET)
      this.#setRefusal(COMMANDS_CLOSED);
  }

  #whyNoCommands(): Trouble | undefined {
    const failure = this.#commandsFailure();
    return failure === undefined ? undefined : troubleFrom(failure);
  }

  #setRefusal(trouble: Trouble): void {
    this.#refusal = trouble;
    this.#report.report(this.health);
  }

  #setDeafness(trouble: Trouble): void {
    this.#deafness = trouble;
    this.#report.report(this.health);
  }
}

/** Asks by INFO, which Redis answers while it loads its data. Until Redis has loaded, ioredis does not report `ready`. */
async function isLoading(commands: Redis): Promise<boolean> {
  if (commands.status !== 'connect') return false;
  try {
    return (await commands.info('persistence')).includes('loading:1');
  } catch {
    return false;
  }
}
