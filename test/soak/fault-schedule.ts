import { setTimeout as delay } from 'node:timers/promises';
import type { ApplicationCast } from '../support/application-cast.ts';
import type { Disk } from '../support/disk.ts';
import type { RovingReader } from '../support/resuming-reader.ts';
import type { Stage } from '../support/stage.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';

/** The parts that a fault can act on. */
export interface Scene {
  readonly stage: Stage;
  /** The relays between each replica and Redis, in the order of the replicas; none without Redis. */
  readonly relays: readonly TcpRelay[];
  /** Where the log is, when it is on disk. */
  readonly disk: Disk | undefined;
  readonly rovers: readonly RovingReader[];
  readonly cast: ApplicationCast;
  readonly random: () => number;
}

export interface Fault {
  readonly name: string;
  /** How often this fault is chosen, relative to the others. */
  readonly weight: number;
  /** The log that the fault needs; undefined when it works with each. */
  readonly log?: 'redis' | 'disk';
  /** Resolves when the fault is over. */
  readonly strike: (scene: Scene) => Promise<void>;
}

const between = (random: () => number, from: number, to: number): number => from + random() * (to - from);
const one = <T>(random: () => number, all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;

async function healed(disk: Disk | undefined, ms: number): Promise<void> {
  await delay(ms);
  disk?.shim.heal();
}

const FAULTS: readonly Fault[] = [
  {
    name: 'readers cut',
    weight: 4,
    strike: async ({ rovers, cast, random }) => {
      for (const reader of [...rovers, ...cast.many]) if (random() < 0.5) reader.cut();
    },
  },
  {
    name: 'channels deleted',
    weight: 3,
    strike: async ({ stage, cast, random }) => {
      for (let i = 0; i < 20; i++) {
        await cast.delete(one(random, cast.channels), Math.floor(random() * stage.brokers.length));
        await delay(between(random, 0, 50));
      }
    },
  },
  {
    name: 'announcements killed',
    weight: 3,
    log: 'redis',
    strike: async ({ stage }) => void (await stage.redis.cli('client', 'kill', 'type', 'pubsub')),
  },
  {
    name: 'all connections killed',
    weight: 3,
    log: 'redis',
    strike: async ({ stage }) => {
      await stage.redis.cli('client', 'kill', 'type', 'normal');
      await stage.redis.cli('client', 'kill', 'type', 'pubsub');
    },
  },
  {
    name: 'Redis frozen',
    weight: 2,
    log: 'redis',
    strike: async ({ stage, random }) => {
      await stage.redis.pause();
      await delay(1_000 * one(random, [1, 1, 5, 5, 30]));
      await stage.redis.resume();
    },
  },
  {
    name: 'Redis killed, back with its data',
    weight: 2,
    log: 'redis',
    strike: async ({ stage, random }) => {
      await stage.redis.kill();
      await delay(between(random, 0, 3_000));
      await stage.redis.restart();
    },
  },
  {
    name: 'Redis flushed',
    weight: 1,
    log: 'redis',
    strike: async ({ stage }) => void (await stage.redis.cli('flushall')),
  },
  {
    name: 'Redis out of memory',
    weight: 1,
    log: 'redis',
    strike: async ({ stage, random }) => {
      await stage.redis.cli('config', 'set', 'maxmemory', '1');
      await delay(between(random, 500, 3_000));
      await stage.redis.cli('config', 'set', 'maxmemory', '0');
    },
  },
  {
    name: 'packets dropped',
    weight: 2,
    log: 'redis',
    strike: async ({ relays, random }) => {
      const relay = one(random, relays);
      relay.goDumb();
      await delay(between(random, 1_000, 12_000));
      relay.speakAgain();
    },
  },
  {
    name: 'replica killed',
    weight: 2,
    strike: async ({ stage, random }) => {
      const index = Math.floor(random() * stage.brokers.length);
      await stage.broker(index).kill();
      await delay(between(random, 0, 2_000));
      await stage.revive(index);
    },
  },
  {
    name: 'rolling restart',
    weight: 2,
    strike: async ({ stage }) => {
      for (const index of stage.brokers.keys()) {
        await stage.broker(index).stop();
        await stage.revive(index);
      }
    },
  },
  {
    name: 'power cut',
    weight: 3,
    log: 'disk',
    strike: async ({ stage, disk, random }) => {
      await stage.broker(0).kill();
      await disk?.losePower(random);
      await stage.revive(0);
    },
  },
  {
    name: 'disk slow',
    weight: 2,
    log: 'disk',
    strike: async ({ disk, random }) => {
      disk?.shim.delaySyncs(Math.round(between(random, 10, 200)));
      await healed(disk, between(random, 1_000, 5_000));
    },
  },
  {
    name: 'disk hanging',
    weight: 2,
    log: 'disk',
    strike: async ({ disk, random }) => {
      disk?.shim.hang();
      await healed(disk, between(random, 500, 8_000));
    },
  },
  {
    name: 'disk full',
    weight: 2,
    log: 'disk',
    strike: async ({ disk, random }) => {
      disk?.shim.fill();
      await healed(disk, between(random, 500, 3_000));
    },
  },
  {
    name: 'disk that fails',
    weight: 2,
    log: 'disk',
    strike: async ({ disk, random }) => {
      if (random() < 0.5) disk?.shim.breakSyncs();
      else disk?.shim.breakWrites();
      await healed(disk, between(random, 100, 3_000));
    },
  },
  {
    name: 'a reader that stops reading for a while',
    weight: 2,
    strike: async ({ rovers, random }) => {
      const rover = one(random, rovers);
      rover.pause();
      await delay(between(random, 2_000, 15_000));
      rover.resume();
    },
  },
];

/** Chooses the next fault for this log from the seeded random numbers, but none of those with these names. */
export function chooseFault(random: () => number, log: 'redis' | 'disk', except: readonly string[]): Fault {
  const faults = FAULTS.filter((fault) => (fault.log ?? log) === log && !except.includes(fault.name));
  const total = faults.reduce((sum, { weight }) => sum + weight, 0);
  let left = random() * total;
  for (const fault of faults) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return faults[0] as Fault;
}
