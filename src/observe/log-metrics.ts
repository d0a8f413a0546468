import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { PlainHistogram } from './plain-histogram.ts';

/** What the log on disk says of itself. The counts are since the start. */
interface LogFigures {
  /** The bytes of the database file, as if the write-ahead log had been moved into it, and of the write-ahead log. */
  readonly fileBytes: number;
  readonly walBytes: number;
  /** The bytes of pages that hold something. */
  readonly usedBytes: number;
  readonly eventsEvicted: number;
  readonly keysEvicted: number;
  readonly eventsDamaged: number;
}

/** The promise may reject. */
export type LogFigureReader = () => Promise<LogFigures>;

/** In seconds. */
const SYNC_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];
/** How long a scrape waits for the figures, in ms. */
const PATIENCE_MS = 500;
const EVENT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];

const NO_FIGURES: LogFigures = {
  fileBytes: 0,
  walBytes: 0,
  usedBytes: 0,
  eventsEvicted: 0,
  keysEvicted: 0,
  eventsDamaged: 0,
};

/** The metrics of the log on disk. With another log they stay at 0. */
export class LogMetrics {
  readonly #read: LogFigureReader | undefined;
  readonly #syncSeconds: PlainHistogram;
  readonly #commitEvents: PlainHistogram;
  #last = NO_FIGURES;
  /** The figures that are being read. The metrics of one scrape share them. */
  #reading: Promise<LogFigures> | undefined;

  constructor(registry: Registry, read: LogFigureReader | undefined) {
    this.#read = read;
    const registers = [registry];
    const figures = (): Promise<LogFigures> => this.#figures();
    this.#syncSeconds = new PlainHistogram({
      name: 'sluice_log_sync_duration_seconds',
      help: 'How long the syncs of the log on disk take.',
      buckets: SYNC_BUCKETS,
      registry,
    });
    this.#commitEvents = new PlainHistogram({
      name: 'sluice_log_commit_events',
      help: 'How many events each commit of the log on disk has.',
      buckets: EVENT_BUCKETS,
      registry,
    });
    const bytes = new Gauge({
      name: 'sluice_log_bytes',
      help: 'Bytes of the log on disk: of its file, of the write-ahead log, and of the used part of the file.',
      labelNames: ['part'],
      registers,
      async collect() {
        const { fileBytes, walBytes, usedBytes } = await figures();
        this.set({ part: 'file' }, fileBytes);
        this.set({ part: 'wal' }, walBytes);
        this.set({ part: 'used' }, usedBytes);
      },
    });
    for (const part of ['file', 'wal', 'used']) bytes.set({ part }, 0);
    const counted = (name: string, help: string, value: (now: LogFigures) => number): Counter =>
      new Counter({
        name,
        help,
        registers,
        async collect() {
          const now = value(await figures());
          this.reset();
          this.inc(now);
        },
      });
    counted(
      'sluice_log_events_evicted_total',
      'Events that the log on disk dropped before their time, because its space is used up.',
      (now) => now.eventsEvicted,
    );
    counted(
      'sluice_log_keys_evicted_total',
      'Keys of states that the log on disk dropped, because its space is used up.',
      (now) => now.keysEvicted,
    );
    counted(
      'sluice_log_events_damaged_total',
      'Events of the log on disk that could not be read, because their bytes are damaged.',
      (now) => now.eventsDamaged,
    );
  }

  committed(events: number): void {
    this.#commitEvents.note(events);
  }

  synced(seconds: number): void {
    this.#syncSeconds.note(seconds);
  }

  /** The last figures when the log does not answer. */
  async #figures(): Promise<LogFigures> {
    if (this.#read === undefined) return NO_FIGURES;
    const late = new Promise<LogFigures>((resolve) => {
      setTimeout(() => resolve(this.#last), PATIENCE_MS).unref();
    });
    this.#reading ??= Promise.race([this.#read(), late])
      .catch(() => this.#last)
      .finally(() => {
        this.#reading = undefined;
      });
    this.#last = await this.#reading;
    return this.#last;
  }
}
