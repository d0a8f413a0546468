import type { Cluster } from 'ioredis';
import type { LogHealth } from '../../core/event-log.ts';
import type { ClusterFollower } from './cluster-follower.ts';
import { HealthReport, NOT_TRIED_YET } from './log-monitor.ts';
import type { LogMonitor } from './log-monitor.ts';

export interface ClusterMonitorOptions {
  readonly cluster: Cluster;
  readonly follower: ClusterFollower;
  /** Why one of the nodes cannot be connected to; '' when it can. */
  readonly whyNot: () => Promise<string>;
  readonly onHealth: (health: LogHealth) => void;
}

const INTERVAL = 1_000;

/** A cluster is up when every one of its masters answers and announces; what one of them lacks is a part of all channels. */
export class ClusterMonitor implements LogMonitor {
  /** A node that does not answer is one of several: the others' commands need not suffer. */
  readonly suspect = false;
  readonly #options: ClusterMonitorOptions;
  readonly #report: HealthReport;
  readonly #timer: NodeJS.Timeout;
  #detail = NOT_TRIED_YET;
  #explaining = false;
  #wasUp = false;

  constructor(options: ClusterMonitorOptions) {
    this.#options = options;
    this.#report = new HealthReport(options.onHealth);
    options.cluster.on('error', (error: Error) => {
      this.#detail = error.message;
      void this.#explain();
    });
    options.cluster.on('ready', () => void this.#look());
    this.#timer = setInterval(() => void this.#look(), INTERVAL);
    this.#timer.unref();
  }

  get health(): LogHealth {
    return { up: this.#detail === '', detail: this.#detail };
  }

  suspectNow(): void {
    this.#options.cluster.refreshSlotsCache();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** ioredis says that no node could be used, and keeps the reason to itself. */
  async #explain(): Promise<void> {
    if (this.#explaining) return;
    this.#explaining = true;
    const reason = await this.#options.whyNot();
    this.#explaining = false;
    if (this.#detail === '') return;
    if (reason !== '') this.#detail = `no node of the cluster can be used: ${reason}`;
    this.#report.report(this.health);
  }

  async #look(): Promise<void> {
    const { cluster, follower } = this.#options;
    try {
      const masters = cluster.nodes('master');
      await Promise.all(masters.map((node) => node.ping()));
      if (masters.length > 0)
        this.#detail = follower.connected ? '' : 'a connection for announcements is closed';
      else if (this.#detail !== NOT_TRIED_YET) this.#detail = 'no node of the cluster is known';
    } catch (error) {
      this.#detail = (error as Error).message;
      if (!this.#wasUp) {
        // That a connection is closed says nothing to who is setting this up; the explanation is reported.
        await this.#explain();
        return;
      }
    }
    this.#wasUp ||= this.#detail === '';
    this.#report.report(this.health);
  }
}
