import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LatencyHistogram } from '../measure/latency-histogram.ts';
import { monotonicMicros } from '../measure/monotonic-micros.ts';
import type { Counts } from './crowd.ts';

export interface ProbePlan {
  readonly port: number;
  readonly path: string;
  /** The time between two questions, in ms. */
  readonly interval: number;
}

/** How long {@link Probe.stop} waits for answers, in ms. A question without an answer counts as one that took so long. */
const LAST_ANSWERS_MS = 5_000;
const NEVER_US = LAST_ANSWERS_MS * 1_000;
const POLL_MS = 5;

/**
 * Asks a server again and again, each time on a new connection, as a health check does. A question does not wait for the
 * answers to those before, so a server that stalls does not look fast.
 */
export class Probe {
  readonly #latency = new LatencyHistogram();
  readonly #plan: ProbePlan;
  readonly #timer: NodeJS.Timeout;
  readonly #beganAt = monotonicMicros();
  #sent = 0;
  #waiting = 0;

  constructor(plan: ProbePlan) {
    this.#plan = plan;
    this.#timer = setInterval(() => this.#askWhatIsDue(), 1);
  }

  /** Asks no more. Returns the times from the moment at which a question was due to its answer. */
  async stop(): Promise<Counts> {
    clearInterval(this.#timer);
    const limit = performance.now() + LAST_ANSWERS_MS;
    while (this.#waiting > 0 && performance.now() < limit) await delay(POLL_MS);
    for (let i = this.#waiting; i > 0; i--) this.#latency.record(NEVER_US);
    return { counts: this.#latency.counts, max: this.#latency.max };
  }

  #askWhatIsDue(): void {
    const interval = this.#plan.interval * 1_000;
    for (;;) {
      const due = this.#beganAt + this.#sent * interval;
      if (monotonicMicros() < due) return;
      this.#sent++;
      this.#ask(due);
    }
  }

  #ask(due: number): void {
    const { port, path } = this.#plan;
    this.#waiting++;
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let over = false;
    const end = (micros: number): void => {
      if (over) return;
      over = true;
      this.#waiting--;
      this.#latency.record(micros);
      socket.resetAndDestroy();
    };
    socket.on('connect', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', () => end(monotonicMicros() - due));
    for (const event of ['error', 'close']) socket.on(event, () => end(NEVER_US));
  }
}
