import type { LogHealth } from '../../core/event-log.ts';

/** Says how Redis is. */
export interface LogMonitor {
  readonly health: LogHealth;
  /** Redis has let a command time out: until it answers again, further ones are not worth the wait. */
  readonly suspect: boolean;
  suspectNow(): void;
  close(): void;
}

/** Reports health when it changes; not being connected yet is no loss to report. */
export class HealthReport {
  readonly #onHealth: (health: LogHealth) => void;
  #reported: boolean | undefined;

  constructor(onHealth: (health: LogHealth) => void) {
    this.#onHealth = onHealth;
  }

  report(health: LogHealth): void {
    if (health.up === this.#reported) return;
    if (this.#reported === undefined && !health.up) return;
    this.#reported = health.up;
    this.#onHealth(health);
  }
}
