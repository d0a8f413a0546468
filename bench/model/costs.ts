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

/** Gives what a scenario has measured on Sluice with that log; undefined where it was not run. */
type Look = (scenario: string, log: string) => Figures | undefined;

interface Rule {
  /** What it was when this was last refreshed: `npm run bench` on two shared cores, events of 100 bytes. */
  readonly usual: number;
  readonly unit: string;
  readonly about: string;
  readonly origin: string;
  readonly read: (look: Look) => number | undefined;
}

const RULES: Readonly<Record<CostName, Rule>> = {
  delivery: {
    usual: 11.5,
    unit: 'µs',
    about: 'CPU of a broker for an event that goes to a subscriber alone',
    origin: 'steady, redis',
    read: (look) => look('steady', 'redis')?.cpuPerDelivery,
  },
  joined: {
    usual: 1,
    unit: 'µs',
    about: 'the same, when many events share a write',
    origin: 'burst, redis',
    read: (look) => look('burst', 'redis')?.cpuPerDelivery,
  },
  connect: {
    usual: 130,
    unit: 'µs',
    about: 'CPU of a broker for a connection',
    origin: 'idle, redis',
    read: (look) => look('idle', 'redis')?.cpuPerConnect,
  },
  rest: {
    usual: 1.7,
    unit: 'µs/s',
    about: 'CPU of a broker for an idle connection, heartbeat included',
    origin: 'idle, redis',
    read: (look) => look('idle', 'redis')?.restPerConnection,
  },
  memory: {
    usual: 7.2,
    unit: 'KiB',
    about: 'memory of a broker for a connection',
    origin: 'idle, redis',
    read: (look) => look('idle', 'redis')?.kibPerConnection,
  },
  publish: {
    usual: 160,
    unit: 'µs',
    about: 'CPU of a broker for a publish by HTTP, with a delivery',
    origin: 'channels, redis',
    read: (look) => look('channels', 'redis')?.cpuPerPublish,
  },
  hear: {
    usual: 40,
    unit: 'µs',
    about: 'CPU of a further broker that hears an event, at the most',
    origin: 'ingest, redis2 less redis',
    read: (look) => {
      const two = look('ingest', 'redis2')?.cpuPerPublish;
      const one = look('ingest', 'redis')?.cpuPerPublish;
      return difference(two, one, 5);
    },
  },
  replay: {
    usual: 0.9,
    unit: 'µs',
    about: 'CPU of a broker for an event out of the history, connecting included',
    origin: 'replay-storm, redis',
    read: (look) => look('replay-storm', 'redis')?.cpuPerReplay,
  },
  redisPublish: {
    usual: 20,
    unit: 'µs',
    about: 'CPU of Redis for an event, without sending it to brokers',
    origin: 'ingest, redis, less the next',
    read: (look) => {
      const one = look('ingest', 'redis')?.redisCpuPerPublish;
      const more = redisReplica(look);
      return one === undefined || more === undefined ? undefined : Math.max(1, one - more);
    },
  },
  redisReplica: {
    usual: 6,
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
    read: (look) => {
      const one = look('ingest', 'redis')?.redisBytesPerPublish;
      const more = redisCopy(look);
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

/** What was measured, and the usual for what was not. */
export function costsFrom(outcomes: readonly Outcome[]): Costs {
  const look: Look = (scenario, log) =>
    outcomes.find((one) => one.scenario === scenario && one.log === log && one.system === 'sluice')?.figures;
  const entries = Object.entries(RULES).map(
    ([name, { usual, unit, about, origin, read }]): [string, Cost] => {
      const measured = read(look);
      const known = measured !== undefined && Number.isFinite(measured);
      const source = known ? origin : `${origin}; as last noted`;
      return [name, { value: known ? measured : usual, unit, about, origin: source }];
    },
  );
  return Object.fromEntries(entries) as Record<CostName, Cost>;
}

function redisReplica(look: Look): number | undefined {
  const two = look('ingest', 'redis2')?.redisCpuPerPublish;
  const one = look('ingest', 'redis')?.redisCpuPerPublish;
  return difference(two, one, 1);
}

function redisCopy(look: Look): number | undefined {
  const two = look('ingest', 'redis2')?.redisBytesPerPublish;
  const one = look('ingest', 'redis')?.redisBytesPerPublish;
  return difference(two, one, 100);
}

/** Less than so much can only be noise: a message is read, or written, once more. More runs help. */
function difference(two: number | undefined, one: number | undefined, least: number): number | undefined {
  return two === undefined || one === undefined || two - one < least ? undefined : two - one;
}
