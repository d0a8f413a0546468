import type { LogHealth } from '../../core/event-log.ts';
import type { LogTrouble } from '../../core/log-trouble.ts';
import { troubleOf, wordsOf } from './redis-trouble.ts';

/** Says how Redis is. */
export interface LogMonitor {
  readonly health: LogHealth;
  /** Redis has let a command time out: until it answers again, further ones are not worth the wait. */
  readonly suspect: boolean;
  suspectNow(): void;
  close(): void;
}

/** What is wrong: the two halves of a {@link LogHealth} that is not good. */
export interface Trouble {
  readonly reason: LogTrouble;
  readonly detail: string;
}

export function troubleFrom(error: Error): Trouble {
  return { reason: troubleOf(error), detail: wordsOf(error) };
}

/** What is said before the first attempt to connect has succeeded or failed. */
export const NOT_TRIED_YET: Trouble = { reason: 'unreachable', detail: 'not connected yet' };

/** How often the same is said of a log that stays down, in ms. */
const AGAIN = 60_000;

/**
 * Reports health when it changes between good, partly good and bad; while it is not good, also another reason for that, each
 * at most once a minute. That the first connection is still being made is no change; that it failed is one.
 */
export class HealthReport {
  readonly #onHealth: (health: LogHealth) => void;
  #state: 'good' | 'partly' | 'bad' | undefined;
  /** When each reason was told in this state; there is one for each word and number of slots at the most. */
  readonly #told = new Map<string, number>();

  constructor(onHealth: (health: LogHealth) => void) {
    this.#onHealth = onHealth;
  }

  report(health: LogHealth): void {
    if (this.#state === undefined && health.detail === NOT_TRIED_YET.detail) return;
    const good = health.reason === '' ? 'good' : 'partly';
    const state = health.up ? good : 'bad';
    const now = performance.now();
    if (state !== this.#state) this.#told.clear();
    else if (state === 'good') return;
    const what = `${health.reason} ${health.slotsDown}`;
    const told = this.#told.get(what);
    if (told !== undefined && now - told < AGAIN) return;
    this.#state = state;
    this.#told.set(what, now);
    this.#onHealth(health);
  }
}
