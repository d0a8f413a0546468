import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import type { PublishResult } from '../publish/publisher.ts';
import { PlainHistogram } from './plain-histogram.ts';

/** In seconds. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What is counted for each event. The numbers are plain, because prom-client's counters take longer than the rest of a publish. */
export class EventMetrics {
  /** Events since the start, by result. A scrape shows them in this order. */
  readonly #published: Record<PublishResult, number> = {
    ok: 0,
    replayed: 0,
    refused: 0,
    unavailable: 0,
    full: 0,
    error: 0,
  };
  #delivered = 0;
  readonly #publishSeconds: PlainHistogram;
  readonly #fanOutSeconds: PlainHistogram;

  constructor(registry: Registry) {
    publishedCounter(registry, this.#published);
    deliveredCounter(registry, () => this.#delivered);
    this.#publishSeconds = new PlainHistogram({
      name: 'sluice_publish_duration_seconds',
      help: 'Time from accepting a publish to the answer of the log, for each append.',
      buckets: LATENCY_BUCKETS,
      registry,
    });
    this.#fanOutSeconds = new PlainHistogram({
      name: 'sluice_publish_to_write_seconds',
      help: "Time from an event's timestamp in the log to the write to the last live subscriber.",
      buckets: LATENCY_BUCKETS,
      registry,
    });
  }

  /** How many events were published, since the start. */
  get published(): number {
    return this.#published.ok;
  }

  /** How many events were written to live streams, since the start. */
  get delivered(): number {
    return this.#delivered;
  }

  notePublished(result: PublishResult, seconds: number, events: number): void {
    this.#published[result] += events;
    this.#publishSeconds.note(seconds);
  }

  noteDelivered(events: number): void {
    this.#delivered += events;
  }

  noteFannedOut(seconds: number): void {
    this.#fanOutSeconds.note(seconds);
  }
}

function publishedCounter(registry: Registry, published: Readonly<Record<PublishResult, number>>): Counter {
  return new Counter({
    name: 'sluice_published_total',
    help: 'Events that were published, or could not be, by result.',
    labelNames: ['result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [result, events] of Object.entries(published)) this.inc({ result }, events);
    },
  });
}

function deliveredCounter(registry: Registry, delivered: () => number): Counter {
  return new Counter({
    name: 'sluice_events_delivered_total',
    help: 'Events written to live streams, summed over subscribers.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(delivered());
    },
  });
}
