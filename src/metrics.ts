import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { REFUSE_REASONS } from './core/close-reason.ts';
import type { CloseReason, RefuseReason } from './core/close-reason.ts';
import type { LogHealth } from './core/event-log.ts';
import { LOG_TROUBLES } from './core/log-trouble.ts';
import type { Instruments } from './core/instruments.ts';
import type { PublishInstruments, PublishResult } from './publish/publisher.ts';
import { REFUSED_REQUESTS } from './core/refused-request.ts';
import type { RefusedRequest } from './core/refused-request.ts';

/** What the gauges ask for when they are scraped. */
export interface Gauges {
  /** Of the broker. */
  readonly version: string;
  readonly connections: () => number;
  /** How many streams may be open; Infinity when nothing limits them. */
  readonly connectionsLimit: () => number;
  readonly channels: () => number;
  readonly bufferedBytes: () => number;
  readonly revocations: () => number;
  /** Since the start: this only grows. */
  readonly logLinesDropped: () => number;
  readonly log: () => Promise<LogHealth>;
  readonly ready: () => Promise<boolean>;
}

/**
 * Defaults of prom-client that are left out: each scrape would walk over every open socket for them, several times, and
 * three of them are gauges with the ending of a counter.
 */
const UNWANTED = ['handles', 'requests', 'resources'].flatMap((kind) => [
  `nodejs_active_${kind}`,
  `nodejs_active_${kind}_total`,
]);

const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** How often the event loop is asked whether it is late, in ms: an idle broker need not wake up a hundred times a second. */
const LAG_PRECISION = 50;

/** Every instrument of the broker, by name. No label takes a channel's name, or anything else that users make up. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #opened = this.#counter('sluice_connections_opened_total', 'Streams opened.');
  readonly #closed = this.#counter('sluice_connections_closed_total', 'Streams closed, by reason.', [
    'reason',
  ]);
  readonly #refused = this.#counter(
    'sluice_connections_refused_total',
    'Streams answered with a request to come back later, by reason.',
    ['reason'],
  );
  readonly #refusedRequests = this.#counter(
    'sluice_requests_refused_total',
    'Requests refused because of a limit, by reason.',
    ['reason'],
  );
  readonly #failedAuthentications = this.#counter(
    'sluice_failed_authentications_total',
    'Requests with a credential that was wrong; a rightly signed token that has expired, or is not valid yet, is none.',
  );
  readonly #uncounted = this.#counter(
    'sluice_publish_rate_uncounted_total',
    'Times that a publish was not counted against a rate, because Redis did not answer in time.',
  );
  readonly #published = this.#counter('sluice_published_total', 'Publishes, by result.', ['result']);
  readonly #delivered = this.#counter(
    'sluice_events_delivered_total',
    'Events written to streams as they arrived, summed over subscribers.',
  );
  readonly #replayed = this.#counter(
    'sluice_events_replayed_total',
    'Events written to streams out of the log, summed over subscribers.',
  );
  readonly #gaps = this.#counter(
    'sluice_gaps_total',
    'Times that a subscriber was told that events may be missing.',
  );
  readonly #heals = this.#counter(
    'sluice_heals_total',
    'Times that a hole in the announcements was closed from the log.',
  );
  readonly #publishSeconds = this.#histogram(
    'sluice_publish_duration_seconds',
    'From an event accepted to its append answered.',
  );
  readonly #fanOutSeconds = this.#histogram(
    'sluice_publish_to_write_seconds',
    "From an event's timestamp in the log to its last write to a live subscriber.",
  );

  /** Looked up once: a publish is counted often. */
  readonly #publishedBy: Readonly<Record<PublishResult, { inc(count?: number): void }>> = {
    ok: this.#published.labels('ok'),
    replayed: this.#published.labels('replayed'),
    unavailable: this.#published.labels('unavailable'),
    full: this.#published.labels('full'),
    error: this.#published.labels('error'),
  };

  constructor(gauges: Gauges) {
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_PRECISION });
    for (const name of UNWANTED) this.#registry.removeSingleMetric(name);
    this.#buildInfo(gauges.version);
    this.#gauge('sluice_connections', 'Open streams.', gauges.connections);
    this.#gauge(
      'sluice_connections_limit',
      'Streams that may be open at once; +Inf without a limit.',
      gauges.connectionsLimit,
    );
    this.#gauge('sluice_channels', 'Channels that this replica follows.', gauges.channels);
    this.#gauge(
      'sluice_buffered_bytes',
      'Bytes that wait for slow readers, summed over them: what several are written is one buffer, and counts for each.',
      gauges.bufferedBytes,
    );
    this.#gauge('sluice_revocations', 'Revocations that this replica knows.', gauges.revocations);
    this.#gauge(
      'sluice_log_up',
      '1 when the log takes events and its announcements arrive; in a cluster, for any of its slots.',
      async () => ((await gauges.log()).up ? 1 : 0),
    );
    this.#gauge(
      'sluice_log_slots_down',
      'Hash slots of a Redis Cluster whose channels cannot be published to.',
      async () => (await gauges.log()).slotsDown,
    );
    this.#logDown(gauges.log);
    this.#gauge('sluice_ready', '1 when this replica takes new streams: what /readyz answers.', async () =>
      (await gauges.ready()) ? 1 : 0,
    );
    this.#counted(
      'sluice_log_lines_dropped_total',
      'Log lines that could not be written: a full disk, a closed pipe, or a reader who takes none.',
      gauges.logLinesDropped,
    );
    for (const published of Object.values(this.#publishedBy)) published.inc(0);
    // A series that appears only with its first event cannot be alerted on.
    for (const reason of [
      'client',
      'drained',
      'stalled',
      'aged',
      'expired',
      'disconnected',
    ] satisfies CloseReason[])
      this.#closed.inc({ reason }, 0);
    for (const reason of REFUSE_REASONS) this.#refused.inc({ reason }, 0);
    for (const reason of REFUSED_REQUESTS) this.#refusedRequests.inc({ reason }, 0);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  metrics(): Promise<string> {
    return this.#registry.metrics();
  }

  readonly instruments: Instruments & PublishInstruments = {
    delivered: (count) => this.#delivered.inc(count),
    replayed: (count) => this.#replayed.inc(count),
    gap: () => this.#gaps.inc(),
    healed: () => this.#heals.inc(),
    published: (result, seconds) => {
      this.#publishedBy[result].inc();
      this.#publishSeconds.observe(seconds);
    },
    fannedOut: (seconds) => this.#fanOutSeconds.observe(seconds),
  };

  readonly opened = (): void => this.#opened.inc();
  readonly closed = (reason: CloseReason): void => this.#closed.inc({ reason });
  readonly refused = (reason: RefuseReason): void => this.#refused.inc({ reason });
  readonly refusedRequest = (reason: RefusedRequest): void => this.#refusedRequests.inc({ reason });
  readonly failedAuthentication = (): void => this.#failedAuthentications.inc();
  readonly uncounted = (): void => this.#uncounted.inc();

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  /** A counter of what somebody else counts. */
  #counted(name: string, help: string, value: () => number): Counter {
    return new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: LATENCY_BUCKETS, registers: [this.#registry] });
  }

  /** Its labels say what runs; joined to other metrics, these can be told apart by it. */
  #buildInfo(version: string): void {
    new Gauge({
      name: 'sluice_build_info',
      help: '1; the labels say which version of the broker runs, and on which Node.',
      labelNames: ['version', 'node'],
      registers: [this.#registry],
    }).set({ version, node: process.version }, 1);
  }

  #logDown(log: Gauges['log']): void {
    const gauge = new Gauge({
      name: 'sluice_log_down',
      help: '1 for the reason why the log, or a part of it, cannot be used.',
      labelNames: ['reason'],
      registers: [this.#registry],
      async collect() {
        const now = (await log()).reason;
        for (const reason of LOG_TROUBLES) this.set({ reason }, reason === now ? 1 : 0);
      },
    });
    for (const reason of LOG_TROUBLES) gauge.set({ reason }, 0);
  }

  #gauge(name: string, help: string, value: () => number | Promise<number>): Gauge {
    return new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        this.set(await value());
      },
    });
  }
}
