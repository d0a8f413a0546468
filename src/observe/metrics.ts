import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { STREAM_REFUSALS } from '../events/close-reason.ts';
import type { CloseReason, StreamRefusal } from '../events/close-reason.ts';
import type { LogHealth } from '../log/event-log.ts';
import { LogMetrics } from './log-metrics.ts';
import type { LogFigureReader } from './log-metrics.ts';
import { LOG_TROUBLES } from '../events/log-trouble.ts';
import type { Instruments } from '../delivery/instruments.ts';
import { EventMetrics } from './event-metrics.ts';
import type { PublishInstruments } from '../publish/publisher.ts';
import { REQUEST_REFUSALS } from '../events/request-refusal.ts';
import type { RequestRefusal } from '../events/request-refusal.ts';

/** The values that each scrape reads. */
export interface Gauges {
  /** The version of the broker. */
  readonly version: string;
  readonly connections: () => number;
  /** How many streams may be open at once; Infinity without a limit. */
  readonly connectionsLimit: () => number;
  readonly channels: () => number;
  readonly bufferedBytes: () => number;
  readonly revocations: () => number;
  /** Counted since the start. */
  readonly logLinesDropped: () => number;
  readonly log: () => Promise<LogHealth>;
  /** Undefined when the log is not on disk. */
  readonly logFigures: LogFigureReader | undefined;
  readonly ready: () => Promise<boolean>;
}

/**
 * Default metrics of prom-client that are removed. For them each scrape would loop over all open sockets several times, and
 * three of them are gauges whose names end in `_total` like a counter's.
 */
const UNWANTED = ['handles', 'requests', 'resources'].flatMap((kind) => [
  `nodejs_active_${kind}`,
  `nodejs_active_${kind}_total`,
]);

/** How often the lag of the event loop is sampled. The default of 10 ms would wake an idle broker 100 times a second. */
const LAG_SAMPLE_INTERVAL_MS = 50;

/** Every metric of the broker. No label holds a channel name or another text from users, so the number of series is bounded. */
export class Metrics {
  /** Counts what the log on disk does. */
  readonly log: LogMetrics;
  readonly #registry = new Registry();
  readonly #opened = this.#counter('sluice_connections_opened_total', 'Streams and long polls opened.');
  readonly #closed = this.#counter(
    'sluice_connections_closed_total',
    'Streams and long polls closed, by reason.',
    ['reason'],
  );
  readonly #refusedStreams = this.#counter(
    'sluice_connections_refused_total',
    'Streams that were refused and asked to come back later, by reason.',
    ['reason'],
  );
  readonly #refusedRequests = this.#counter(
    'sluice_requests_refused_total',
    'Requests refused because of a limit, by reason.',
    ['reason'],
  );
  readonly #failedAuthentications = this.#counter(
    'sluice_failed_authentications_total',
    'Requests with a wrong credential. A correctly signed token that is expired or not yet valid does not count.',
  );
  readonly #uncounted = this.#counter(
    'sluice_publish_rate_uncounted_total',
    'Publishes that were not counted against a rate limit, because Redis did not answer in time.',
  );
  readonly #replayed = this.#counter(
    'sluice_events_replayed_total',
    'Events written to streams that were catching up from the log, summed over subscribers.',
  );
  readonly #gaps = this.#counter(
    'sluice_gaps_total',
    'Gap notices sent to subscribers: events may be missing.',
  );
  readonly #heals = this.#counter(
    'sluice_heals_total',
    'Times that missed announcements were read from the log.',
  );
  readonly #keysDropped = this.#counter(
    'sluice_keys_dropped_total',
    'Keys whose newest event was dropped from the state of a channel: the channel had too many keys, or the memory was full.',
  );
  readonly #events = new EventMetrics(this.#registry);

  constructor(gauges: Gauges) {
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_SAMPLE_INTERVAL_MS });
    for (const name of UNWANTED) this.#registry.removeSingleMetric(name);
    this.#buildInfo(gauges.version);
    this.#gauge('sluice_connections', 'Open streams and long polls.', gauges.connections);
    this.#gauge(
      'sluice_connections_limit',
      'Streams that may be open at once; +Inf without a limit.',
      gauges.connectionsLimit,
    );
    this.#gauge('sluice_channels', 'Channels that this replica follows.', gauges.channels);
    this.#gauge(
      'sluice_buffered_bytes',
      'Bytes that wait for slow readers, summed over readers. A buffer that several readers share counts once for each reader.',
      gauges.bufferedBytes,
    );
    this.#gauge('sluice_revocations', 'Revocations that this replica knows.', gauges.revocations);
    this.#gauge(
      'sluice_log_up',
      '1 when the log accepts events and announcements arrive. In a cluster: for at least one hash slot.',
      async () => ((await gauges.log()).up ? 1 : 0),
    );
    this.#gauge(
      'sluice_log_slots_down',
      'Hash slots of a Redis Cluster whose channels cannot be published to.',
      async () => (await gauges.log()).slotsDown,
    );
    this.#logDown(gauges.log);
    this.log = new LogMetrics(this.#registry, gauges.logFigures);
    this.#gauge(
      'sluice_ready',
      '1 when this replica accepts new streams and /readyz answers 200.',
      async () => ((await gauges.ready()) ? 1 : 0),
    );
    this.#counted(
      'sluice_log_lines_dropped_total',
      'Log lines that could not be written: the disk is full, the pipe is closed, or its reader is too slow.',
      gauges.logLinesDropped,
    );
    // Starts each series at 0. An alert cannot see the first increase of a series that did not exist before.
    for (const reason of [
      'client',
      'ended',
      'drained',
      'stalled',
      'aged',
      'expired',
      'disconnected',
      'gap',
      'answered',
    ] satisfies CloseReason[])
      this.#closed.inc({ reason }, 0);
    for (const reason of STREAM_REFUSALS) this.#refusedStreams.inc({ reason }, 0);
    for (const reason of REQUEST_REFUSALS) this.#refusedRequests.inc({ reason }, 0);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  metrics(): Promise<string> {
    return this.#registry.metrics();
  }

  /** How many events were published, and written to live streams, since the start. */
  async eventCounts(): Promise<{ readonly published: number; readonly delivered: number }> {
    return { published: this.#events.published, delivered: this.#events.delivered };
  }

  readonly instruments: Instruments & PublishInstruments = {
    delivered: (count) => this.#events.noteDelivered(count),
    replayed: (count) => this.#replayed.inc(count),
    gap: () => this.#gaps.inc(),
    healed: () => this.#heals.inc(),
    published: (result, seconds, events) => this.#events.notePublished(result, seconds, events),
    fannedOut: (seconds) => this.#events.noteFannedOut(seconds),
  };

  readonly opened = (): void => this.#opened.inc();
  readonly closed = (reason: CloseReason): void => this.#closed.inc({ reason });
  readonly streamRefused = (reason: StreamRefusal): void => this.#refusedStreams.inc({ reason });
  readonly requestRefused = (reason: RequestRefusal): void => this.#refusedRequests.inc({ reason });
  readonly failedAuthentication = (): void => this.#failedAuthentications.inc();
  readonly keysDropped = (keys: number): void => this.#keysDropped.inc(keys);
  readonly uncounted = (): void => this.#uncounted.inc();

  #counter(name: string, help: string, labelNames: string[] = []): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  /** A counter whose value is read from elsewhere at each scrape. */
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

  /** A metric whose labels hold the versions. Queries can join it to other metrics. */
  #buildInfo(version: string): void {
    new Gauge({
      name: 'sluice_build_info',
      help: 'Always 1. The labels hold the versions of the broker and of Node.',
      labelNames: ['version', 'node'],
      registers: [this.#registry],
    }).set({ version, node: process.version }, 1);
  }

  #logDown(log: Gauges['log']): void {
    const gauge = new Gauge({
      name: 'sluice_log_down',
      help: '1 for the reason why the log, or a part of it, is down.',
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
