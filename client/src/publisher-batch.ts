import { randomUUID } from 'node:crypto';
import { errorOf } from './publisher-requests.ts';
import type { PublishProblem } from './publisher-requests.ts';
import type { QueuedEvent } from './publisher-queue.ts';

/** Answers to a body whose idempotency key the broker has checked: when the events were in the log, it would say so. */
const CERTAIN = new Set([409, 412, 422]);

/** What a batch needs to go on with the idempotency key of another one. */
type Sent = Pick<Batch, 'idempotencyKey' | 'uncertain'>;

/** The events of one body. They go again with the same idempotency key until there is an answer. */
export class Batch {
  /** What waits for the same requests. When none of its events has a caller any more, the requests are given up. */
  readonly flight: Flight;
  readonly idempotencyKey: string;
  /** Whether events of the body may be in the log, because an attempt was not answered, or was answered with a failure. */
  uncertain: boolean;
  /** Why the last attempt failed. */
  failure: unknown;
  #events: readonly QueuedEvent[];

  constructor(events: readonly QueuedEvent[], flight: Flight, sent?: Sent) {
    this.#events = events;
    this.flight = flight;
    this.uncertain = sent?.uncertain ?? false;
    this.idempotencyKey = sent?.idempotencyKey ?? events[0]?.idempotencyKey ?? randomUUID();
    for (const event of events) event.batch = this;
  }

  get events(): readonly QueuedEvent[] {
    return this.#events;
  }

  get isAlone(): boolean {
    return this.#events[0]?.alone === true;
  }

  /** Makes the body. Drops events without a caller, but not when a part of the body may be in the log: positions count. */
  body(): Buffer {
    if (!this.uncertain) this.#events = this.#events.filter(({ settled }) => !settled);
    return Buffer.from(this.#events.map(({ line }) => line).join('\n'));
  }

  /**
   * The broker has refused the body. Refuses the events that are the reason, and returns the others, as the batches to send
   * next. Order within a channel is kept. A batch that holds all events of its channels, or their first ones, keeps the
   * idempotency key, because the key counts together with the position of an event in its channel.
   */
  split(problem: PublishProblem): readonly Batch[] {
    const events = this.#events;
    const { channel, published = 0, faults } = problem;
    if (published > 0) this.uncertain = true;
    if (events.length === 1) return this.#refuse(events, problem);
    if (faults.size > 0) {
      for (const [i, detail] of faults) this.#refuse(events.slice(i, i + 1), { ...problem, detail });
      // Halves, and not the rest at once: an answer may name only the first of many faults.
      return this.#pieces(events.filter((_, i) => !faults.has(i)));
    }
    if (problem.status === 413) return this.#pieces(events);
    const channels = [...new Set(events.map((event) => event.channel))];
    if (channels.length > 1) {
      if (channel !== undefined) return this.#byChannel(new Set([channel]));
      if (problem.code === 'forbidden')
        return this.#byChannel(new Set(channels.slice(0, Math.ceil(channels.length / 2))));
    } else if (published > 0 && published < events.length) {
      this.#refuse(events.slice(published), problem);
      return [new Batch(events.slice(0, published), this.flight, this)];
    }
    return this.#refuse(events, problem);
  }

  /**
   * Returns smaller batches, because a rate with this quota never lets the whole batch pass. They have half of the quota, so
   * that other publishers may use a part of it.
   */
  slowDown(quota: number): readonly Batch[] {
    return this.#pieces(this.#events, Math.max(1, Math.floor(quota / 2)));
  }

  #pieces(events: readonly QueuedEvent[], size = Math.ceil(events.length / 2)): readonly Batch[] {
    const pieces: Batch[] = [];
    for (let from = 0; from < events.length; from += size)
      pieces.push(new Batch(events.slice(from, from + size), this.flight));
    return pieces;
  }

  #byChannel(names: ReadonlySet<string>): readonly Batch[] {
    return [true, false]
      .map((named) => this.#events.filter(({ channel }) => names.has(channel) === named))
      .filter((events) => events.length > 0)
      .map((events) => new Batch(events, this.flight, this));
  }

  #refuse(events: readonly QueuedEvent[], problem: PublishProblem): readonly Batch[] {
    const mayBePublished = this.uncertain && !CERTAIN.has(problem.status);
    // `published` counts other events of the body.
    const own = { ...problem, published: undefined };
    for (const event of events) event.refuse(errorOf(own, mayBePublished));
    return [];
  }
}

/** What the batches that came from one batch have in common. */
export class Flight {
  readonly #controller = new AbortController();
  #callers: number;

  constructor(callers: number) {
    this.#callers = callers;
  }

  /** Aborts when no caller waits any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A caller has its result, or does not wait any more. */
  left(): void {
    if (--this.#callers === 0) this.#controller.abort();
  }
}
