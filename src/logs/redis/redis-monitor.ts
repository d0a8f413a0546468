import { randomUUID } from 'node:crypto';
import type { LogHealth } from '../../core/event-log.ts';
import type { Redis } from 'ioredis';
import { HealthReport, NOT_TRIED_YET } from './log-monitor.ts';
import type { LogMonitor } from './log-monitor.ts';
import type { RedisKeys } from './redis-keys.ts';

export interface RedisMonitorOptions {
  readonly commands: Redis;
  readonly subscriber: Redis;
  readonly keys: RedisKeys;
  /** Called when the answer changes. */
  readonly onHealth: (health: LogHealth) => void;
}

/** Between two probes, in ms. */
const INTERVAL = 2_000;
/** A probe that Redis accepted and that has not come back after so many ms is lost, in ms. */
const PATIENCE = 3_000;

/**
 * Says whether Redis answers and whether announcements arrive. It sends itself a message now and then: a subscriber
 * connection hears nothing when nothing is published, and just as little when it is silently dead.
 */
export class RedisMonitor implements LogMonitor {
  readonly #options: RedisMonitorOptions;
  readonly #name: string;
  readonly #timer: NodeJS.Timeout;
  /** When a probe was first sent that has not come back; undefined when none is on its way. */
  #sentAt: number | undefined;
  #answering = false;
  #arriving = false;
  #suspect = false;
  #detail = NOT_TRIED_YET;
  /** Why the last attempt to connect has failed, which is told rather than that there is no connection. */
  #failure = '';
  readonly #report: HealthReport;

  constructor(options: RedisMonitorOptions) {
    this.#options = options;
    this.#report = new HealthReport(options.onHealth);
    this.#name = options.keys.probe(randomUUID());
    const { commands, subscriber } = options;
    const arrived = Buffer.from(this.#name);
    subscriber.on('messageBuffer', (channel: Buffer) => {
      if (channel.equals(arrived)) this.#arrived();
    });
    for (const connection of [commands, subscriber]) {
      // ioredis reports each failed attempt here; without a listener it would write to the console.
      connection.on('error', (error: Error) => {
        this.#failure = error.message;
      });
      connection.on('ready', () => {
        this.#failure = '';
      });
    }
    commands.on('ready', () => {
      this.#suspect = false;
      void this.#probe();
    });
    subscriber.on('ready', () => {
      this.#sentAt = undefined;
      subscriber.subscribe(this.#name).then(
        () => this.#probe(),
        () => undefined, // the connection broke again; the next 'ready' tries again
      );
    });
    commands.on('close', () => this.#lost('answering', 'the connection for commands is closed'));
    subscriber.on('close', () => this.#lost('arriving', 'the connection for announcements is closed'));
    this.#timer = setInterval(() => {
      // Connecting has had its time; a first attempt that has just begun is no outage.
      if (commands.status !== 'ready') this.#lost('answering', 'there is no connection for commands');
      void this.#probe();
    }, INTERVAL);
    this.#timer.unref();
  }

  get health(): LogHealth {
    const up = this.#answering && this.#arriving && !this.#suspect;
    return { up, detail: up ? '' : this.#detail };
  }

  get suspect(): boolean {
    return this.#suspect;
  }

  suspectNow(): void {
    if (this.#suspect) return;
    this.#suspect = true;
    this.#lost('answering', 'Redis does not answer in time');
    void this.#probe();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #probe(): Promise<void> {
    const { commands, subscriber } = this.#options;
    const now = performance.now();
    if (this.#sentAt !== undefined && now - this.#sentAt > PATIENCE && subscriber.status === 'ready') {
      this.#sentAt = undefined;
      this.#lost('arriving', 'announcements do not arrive');
      subscriber.disconnect(true);
    }
    // As soon as it is ready there is a probe.
    if (commands.status !== 'ready') return;
    try {
      const heard = await commands.publish(this.#name, '1');
      this.#answering = true;
      this.#suspect = false;
      // What nobody has heard is not on its way: the subscription itself is missing or being made.
      if (subscriber.status === 'ready' && (heard > 0 || this.#arriving)) this.#sentAt ??= now;
      this.#report.report(this.health);
    } catch (error) {
      this.#lost('answering', (error as Error).message);
    }
  }

  #arrived(): void {
    this.#sentAt = undefined;
    this.#arriving = true;
    this.#report.report(this.health);
  }

  #lost(what: 'answering' | 'arriving', detail: string): void {
    if (what === 'answering') this.#answering = false;
    else this.#arriving = false;
    this.#detail = this.#failure === '' ? detail : `${detail}: ${this.#failure}`;
    this.#report.report(this.health);
  }
}
