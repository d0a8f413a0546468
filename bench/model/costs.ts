import type { Figures } from '../figures.ts';
import type { Outcome } from '../outcome.ts';

/** One measured number, and where it comes from. */
interface Cost {
  readonly value: number;
  readonly unit: string;
  readonly about: string;
  readonly origin: string;
}

type CostName =
  | 'delivery'
  | 'joined'
  | 'connect'
  | 'rest'
  | 'memory'
  | 'publish'
  | 'hear'
  | 'replay'
  | 'redisPublish'
  | 'redisReplica'
  | 'redisAnswer'
  | 'redisCopy';

export type Costs = Readonly<Record<CostName, Cost>>;

/** Looks up the figures of Sluice in a scenario with this log. Returns undefined when the scenario was not run. */
type FigureLookup = (scenario: string, log: string) => Figures | undefined;

interface Rule {
  /** The value of the last full measurement: `npm run bench` on two shared cores, events of 100 bytes. */
  readonly usual: number;
  readonly unit: string;
  readonly about: string;
  readonly origin: string;
  readonly read: (figures: FigureLookup) => number | undefined;
}

const RULES: Readonly<Record<CostName, Rule>> = {
  delivery: {
    usual: 9.6,
    unit: 'µs',
    about: 'CPU of a broker for an event that goes to a subscriber alone',
    origin: 'steady, redis',
    read: (figures) => figures('steady', 'redis')?.cpuPerDelivery,
  },
  joined: {
    usual: 1,
    unit: 'µs',
    about: 'the same, when many events share a write',
    origin: 'burst, redis',
    read: (figures) => figures('burst', 'redis')?.cpuPerDelivery,
  },
  connect: {
    usual: 66,
    unit: 'µs',
    about: 'CPU of a broker for a connection',
    origin: 'idle, redis',
    read: (figures) => figures('idle', 'redis')?.cpuPerConnect,
  },
  rest: {
    usual: 0.8,
    unit: 'µs/s',
    about: 'CPU of a broker for an idle connection, heartbeat included',
    origin: 'idle, redis',
    read: (figures) => figures('idle', 'redis')?.restPerConnection,
  },
  memory: {
    usual: 5.5,
    unit: 'KiB',
    about: 'memory of a broker for a connection',
    origin: 'idle, redis',
    read: (figures) => figures('idle', 'redis')?.kibPerConnection,
  },
  publish: {
    usual: 97,
    unit: 'µs',
    about: 'CPU of a broker for a publish by HTTP, with a delivery',
    origin: 'channels, redis',
    read: (figures) => figures('channels', 'redis')?.cpuPerPublish,
  },
  hear: {
    usual: 22,
    unit: 'µs',
    about: 'CPU of a further broker that hears an event, at the most',
    origin: 'ingest, redis2 less redis',
    read: (figures) => {
      const two = figures('ingest', 'redis2')?.cpuPerPublish;
      const one = figures('ingest', 'redis')?.cpuPerPublish;
      return difference(two, one, 5);
    },
  },
  replay: {
    usual: 0.9,
    unit: 'µs',
    about: 'CPU of a broker for an event out of the history, connecting included',
    origin: 'replay-storm, redis',
    read: (figures) => figures('replay-storm', 'redis')?.cpuPerReplay,
  },
  redisPublish: {
    usual: 20,
    unit: 'µs',
    about: 'CPU of Redis for an event, without sending it to brokers',
    origin: 'ingest, redis, less the next',
    read: (figures) => {
      const one = figures('ingest', 'redis')?.redisCpuPerPublish;
      const more = redisReplica(figures);
      return one === undefined || more === undefined ? undefined : Math.max(1, one - more);
    },
  },
  redisReplica: {
    usual: 7,
    unit: 'µs',
    about: 'CPU of Redis for each broker that hears it',
    origin: 'ingest, redis2 less redis',
    read: redisReplica,
  },
  redisAnswer: {
    usual: 32,
    unit: 'B',
    about: 'sent by Redis for an event, without announcing it',
    origin: 'ingest, redis, less the next',
    read: (figures) => {
      const one = figures('ingest', 'redis')?.redisBytesPerPublish;
      const more = redisCopy(figures);
      return one === undefined || more === undefined ? undefined : Math.max(0, one - more);
    },
  },
  redisCopy: {
    usual: 197,
    unit: 'B',
    about: 'sent by Redis to each broker that hears it',
    origin: 'ingest, redis2 less redis',
    read: redisCopy,
  },
};

/** Takes measured costs, and the usual value for each cost that was not measured. */
export function costsFrom(outcomes: readonly Outcome[]): Costs {
  const figures: FigureLookup = (scenario, log) =>
    outcomes.find((one) => one.scenario === scenario && one.log === log && one.system === 'sluice')?.figures;
  const entries = Object.entries(RULES).map(
    ([name, { usual, unit, about, origin, read }]): [string, Cost] => {
      const measured = read(figures);
      const known = measured !== undefined && Number.isFinite(measured);
      const source = known ? origin : `${origin}; as last noted`;
      return [name, { value: known ? measured : usual, unit, about, origin: source }];
    },
  );
  return Object.fromEntries(entries) as Record<CostName, Cost>;
}

function redisReplica(figures: FigureLookup): number | undefined {
  const two = figures('ingest', 'redis2')?.redisCpuPerPublish;
  const one = figures('ingest', 'redis')?.redisCpuPerPublish;
  return difference(two, one, 1);
}

function redisCopy(figures: FigureLookup): number | undefined {
  const two = figures('ingest', 'redis2')?.redisBytesPerPublish;
  const one = figures('ingest', 'redis')?.redisBytesPerPublish;
  return difference(two, one, 100);
}

/** A smaller difference is noise, because each message costs at least one more read or write. More runs help. */
function difference(two: number | undefined, one: number | undefined, least: number): number | undefined {
  return two === undefined || one === undefined || two - one < least ? undefined : two - one;
}
