import type { LogHealth } from '../../core/event-log.ts';

/** Says how Redis is. */
export interface LogMonitor {
  readonly health: LogHealth;
  /** Redis has let a command time out: until it answers again, further ones are not worth the wait. */
  readonly suspect: boolean;
  suspectNow(): void;
  close(): void;
}

/** What is said before the first attempt to connect has succeeded or failed. */
export const NOT_TRIED_YET = 'not connected yet';

/** Reports health when it changes. That the first connection is still being made is no change; that it failed is one. */
export class HealthReport {
  readonly #onHealth: (health: LogHealth) => void;
  #reported: boolean | undefined;

  constructor(onHealth: (health: LogHealth) => void) {
    this.#onHealth = onHealth;
  }

  report(health: LogHealth): void {
    if (health.up === this.#reported) return;
    if (this.#reported === undefined && health.detail === NOT_TRIED_YET) return;
    this.#reported = health.up;
    this.#onHealth(health);
  }
}
