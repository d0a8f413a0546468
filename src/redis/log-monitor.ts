import type { LogHealth } from '../log/event-log.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import { troubleOf, wordsOf } from './redis-trouble.ts';

/** Reports whether Redis accepts events and delivers announcements. */
export interface LogMonitor {
  readonly health: LogHealth;
  /** Whether a command has timed out and Redis has not answered since. Further commands would wait for their time-outs, too. */
  readonly suspect: boolean;
  /** To be called when a command has timed out. */
  suspectNow(): void;
  close(): void;
}

/** Why the log is down or partly down: two fields of {@link LogHealth}. */
export interface Trouble {
  readonly reason: LogTrouble;
  readonly detail: string;
}

export function troubleFrom(error: Error): Trouble {
  return { reason: troubleOf(error), detail: wordsOf(error) };
}

/** The trouble until the first attempt to connect has succeeded or failed. */
export const NOT_TRIED_YET: Trouble = { reason: 'unreachable', detail: 'not connected yet' };

/** Between two reports of the same trouble, in ms. */
const REPEAT_MS = 60_000;

/**
 * Reports health when it changes between good, partly good and bad. While health is not good, also reports each further
 * reason, and repeats each reason at most once a minute. Reports nothing while the first connection is being made.
 */
export class HealthReport {
  readonly #onHealth: (health: LogHealth) => void;
  #state: 'good' | 'partly' | 'bad' | undefined;
  /** When each trouble was last reported in this state. The key has the reason and the number of slots. */
  readonly #reportedAt = new Map<string, number>();

  constructor(onHealth: (health: LogHealth) => void) {
    this.#onHealth = onHealth;
  }

  report(health: LogHealth): void {
    if (this.#state === undefined && health.detail === NOT_TRIED_YET.detail) return;
    const good = health.reason === '' ? 'good' : 'partly';
    const state = health.up ? good : 'bad';
    const now = performance.now();
    if (state !== this.#state) this.#reportedAt.clear();
    else if (state === 'good') return;
    const trouble = `${health.reason} ${health.slotsDown}`;
    const reportedAt = this.#reportedAt.get(trouble);
    if (reportedAt !== undefined && now - reportedAt < REPEAT_MS) return;
    this.#state = state;
    this.#reportedAt.set(trouble, now);
    this.#onHealth(health);
  }
}
