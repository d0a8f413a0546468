interface Meaning {
  /** The heading of the column. */
  readonly title: string;
  readonly unit: string;
  readonly about: string;
}

/** All measured figures, in the order of the columns. The CPU figures cover the brokers' processes. Redis has its own figures. */
export const FIGURES = {
  connections: { title: 'connections', unit: '', about: 'open when publishing began' },
  cpuPerDelivery: { title: 'CPU/delivery', unit: 'µs', about: 'CPU of the brokers for each event delivered' },
  cpuPerPublish: { title: 'CPU/publish', unit: 'µs', about: 'CPU of the brokers for each event published' },
  redisCpuPerPublish: {
    title: 'Redis CPU/publish',
    unit: 'µs',
    about: 'CPU of Redis for each event published',
  },
  redisBytesPerPublish: {
    title: 'Redis bytes/publish',
    unit: 'B',
    about: 'sent by Redis for each event published',
  },
  deliveriesPerSecond: {
    title: 'deliveries/s',
    unit: '',
    about: 'from the first publish to the last delivery',
  },
  publishesPerSecond: { title: 'publishes/s', unit: '', about: 'acknowledged' },
  bytesPerDelivery: {
    title: 'bytes/delivery',
    unit: 'B',
    about: 'of the answers, for each event delivered',
  },
  p50: { title: 'p50', unit: 'ms', about: 'from the moment an event was due to its arrival' },
  p99: { title: 'p99', unit: 'ms', about: 'the same, of one in a hundred' },
  max: { title: 'max', unit: 'ms', about: 'the same, of the last' },
  ackP50: { title: 'answered p50', unit: 'ms', about: 'from the moment an event was due to the answer' },
  ackP99: { title: 'answered p99', unit: 'ms', about: 'the same, of one in a hundred' },
  syncP50: {
    title: 'sync p50',
    unit: 'ms',
    about: 'a write of 4 KiB and an fdatasync in the folder of the log, before the run',
  },
  kibPerConnection: { title: 'KiB/connection', unit: '', about: 'resident memory that connecting has added' },
  cpuPerConnect: { title: 'CPU/connect', unit: 'µs', about: 'CPU of the brokers for each connection opened' },
  cpuAtRest: {
    title: 'CPU at rest',
    unit: '% of a core',
    about: 'with heartbeats and nothing else',
  },
  restPerConnection: {
    title: 'rest/connection',
    unit: 'µs/s',
    about: 'the same for each connection and second',
  },
  caughtUpP50: { title: 'caught up p50', unit: 'ms', about: 'from the storm to having all that was missed' },
  caughtUpAll: { title: 'all caught up', unit: 'ms', about: 'the same, of the last' },
  replayed: { title: 'replayed', unit: '', about: 'events delivered out of the history' },
  cpuPerReplay: {
    title: 'CPU/replay',
    unit: 'µs',
    about: 'CPU of the brokers for each of those, connecting included',
  },
  stormCpu: { title: 'CPU', unit: 'ms', about: 'CPU of the brokers for the whole storm' },
  peakMemory: {
    title: 'memory more',
    unit: 'MiB',
    about: 'the most resident memory during the storm, beyond that before it',
  },
  probeP50: {
    title: 'probe p50',
    unit: 'ms',
    about: 'the cheapest request on a new connection, during the storm',
  },
  probeP99: { title: 'probe p99', unit: 'ms', about: 'the same, of one in a hundred' },
  logReads: { title: 'reads of Redis', unit: '', about: 'scripts that Redis ran in the storm' },
  lost: { title: 'lost', unit: '', about: 'acknowledged, and not delivered to somebody' },
  duplicates: { title: 'duplicates', unit: '', about: 'delivered again' },
  disorder: { title: 'disorder', unit: '', about: 'out of order, or in another order than to others' },
  gaps: { title: 'gaps', unit: '', about: 'times a subscriber was told that something may be missing' },
  errors: {
    title: 'errors',
    unit: '',
    about: 'publishes refused, and connections that did not open or did not last',
  },
  loader: {
    title: 'loader',
    unit: '%',
    about: 'how busy the busiest load generator was; near 100 it is the limit',
  },
} as const satisfies Record<string, Meaning>;

export type FigureName = keyof typeof FIGURES;
export type Figures = { readonly [N in FigureName]?: number };

/** Figures that must be 0: the broker's promise, and a run without errors. */
export const BREACHES = ['lost', 'duplicates', 'disorder', 'gaps', 'errors'] as const satisfies FigureName[];

export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** Computes the median of each figure over the runs. For figures that must be 0, takes the worst. */
export function medianFigures(runs: readonly Figures[]): Figures {
  const result: { [N in FigureName]?: number } = {};
  for (const name of FIGURE_NAMES) {
    const values = runs
      .map((run) => run[name])
      .filter((value) => value !== undefined)
      .toSorted((a, b) => a - b);
    if (values.length === 0) continue;
    const worst = (BREACHES as readonly FigureName[]).includes(name);
    const middle = (values.length - 1) / 2;
    const low = values[Math.floor(middle)] ?? 0;
    const high = values[Math.ceil(middle)] ?? 0;
    result[name] = worst ? (values.at(-1) ?? 0) : (low + high) / 2;
  }
  return result;
}

/** Rounds to three digits, and to whole numbers from 100 on. More digits would be noise. */
export function formatFigure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-US');
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(2);
}
