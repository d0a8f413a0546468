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
  /** Does what an append does (probe.lua); gives how many connections heard of it. */
  readonly probe: () => Promise<number>;
  /** Called when the health changes, and now and then while it is not good. */
  readonly onHealth: (health: LogHealth) => void;
}

/** Between two probes, in ms. */
const PROBE_INTERVAL_MS = 2_000;
/** A probe that Redis accepted and that was not heard after this time is lost, in ms. */
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

/** Refusals of the probe's writes, which come after its announcement: the announcement was sent all the same. */
const ANNOUNCED: ReadonlySet<LogTrouble> = new Set(['READONLY', 'MISCONF', 'NOREPLICAS', 'OOM', 'WRONGTYPE']);

/**
 * Knows whether Redis takes what is published and whether announcements arrive. Tries that out every 2 s: Redis may answer
 * and refuse all the same, and a subscriber connection that hears nothing may be silently dead.
 */
export class RedisMonitor implements LogMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #report: HealthReport;
  /** When the first probe was sent whose announcement was not heard yet; undefined when no announcement is awaited. */
  #sentAt: number | undefined;
  /** Why nothing can be published; undefined when it can. */
  #refusal: Trouble | undefined = NOT_TRIED_YET;
  /** Why announcements do not arrive; undefined when they do. */
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
    // The first check comes 2 s after the first attempt to connect: a connection that is not ready by now is an outage.
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
    // The 'ready' of the connection causes a probe.
    if (commands.status !== 'ready') return;
    try {
      const heard = await probe();
      this.#suspect = false;
      this.#refusal = undefined;
      // A probe that nobody has heard is not on its way: the subscription is missing or being made.
      if (heard > 0 || this.#deafness === undefined) this.#sent(now);
      this.#report.report(this.health);
    } catch (error) {
      const trouble = troubleFrom(error as Error);
      // The next attempt to connect tells more than a connection that broke.
      if (trouble.reason === 'unreachable') return;
      // Redis that refuses answers in time.
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
    // Keeps the reason of a server that refused everything: the connection was closed to find another server.
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

/** Asks by INFO, which Redis answers while it loads its data. ioredis does not call the connection ready until then. */
async function isLoading(commands: Redis): Promise<boolean> {
  if (commands.status !== 'connect') return false;
  try {
    return (await commands.info('persistence')).includes('loading:1');
  } catch {
    return false;
  }
}
