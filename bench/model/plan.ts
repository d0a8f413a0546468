import type { Costs } from './costs.ts';

/** µs of CPU in a second that a process on one core may be planned to use: the rest is for storms and for bad luck. */
export const PLANNED = 0.6e6;
/** Memory of a machine's share for one replica, in KiB: 4 GiB. */
const MEMORY = 4 * 1024 * 1024;
/** What the kernel holds for an idle connection, in KiB. Not measured by the bench: two TCP buffers' structures and an inode. */
const KERNEL_MEMORY = 4;
/** What a replica takes without connections, in KiB. */
const BASE_MEMORY = 120 * 1024;
/** A connection lasts so long, in seconds: a page that is left, a proxy's limit, a phone that sleeps. */
const LIFETIME = 3_600;
/** Everybody at once, after all edges restarted, is to be served within so many seconds. */
const STORM_LIMIT = 30;
/** Events that each has missed by then. */
const STORM_BACKLOG = 100;
/** Bytes a second that one Redis is planned to send: 60 % of 10 Gbit/s. */
const BANDWIDTH = 0.75e9;

/** What an application does with the broker. */
export interface Workload {
  readonly name: string;
  readonly about: string;
  /** Subscribers of a channel; Infinity for one channel that everybody listens to. */
  readonly audience: number;
  /** Events a second on each channel. */
  readonly rate: number;
}

export const WORKLOADS: readonly Workload[] = [
  { name: 'personal', about: 'a channel for each user, an event a minute', audience: 1, rate: 1 / 60 },
  { name: 'rooms', about: 'channels of 50, an event every two seconds', audience: 50, rate: 0.5 },
  { name: 'broadcast', about: 'one channel for all, an event a second', audience: Infinity, rate: 1 },
];

export interface Plan {
  readonly replicas: number;
  readonly perReplica: number;
  /** What keeps a replica from taking more. */
  readonly limit: 'CPU' | 'memory' | 'storm';
  readonly publishes: number;
  readonly deliveries: number;
  /** Replicas that hear an event of a channel, on average. */
  readonly hearing: number;
  readonly shards: number;
  readonly shardLimit: 'CPU' | 'bandwidth';
  /** Bytes a second that all Redis servers together send. */
  readonly sent: number;
  /** Each replica holds three connections to each shard: for commands, for pages and for announcements. */
  readonly connectionsPerShard: number;
  /** False when a single channel needs more than one Redis can give. */
  readonly possible: boolean;
}

/** CPU of a replica for one who comes back in a storm, in µs. */
export function comeBackCost(costs: Costs): number {
  return costs.connect.value + STORM_BACKLOG * costs.replay.value;
}

/** Replicas of which one of `audience` subscribers, spread at random, is on at least one. */
function hearing(audience: number, replicas: number): number {
  return audience === Infinity ? replicas : replicas * (1 - (1 - 1 / replicas) ** audience);
}

/** CPU of one replica, in µs a second, with `connections` of `total` on it and `replicas` of its kind. */
function replicaLoad(
  costs: Costs,
  { audience, rate }: Workload,
  connections: number,
  replicas: number,
): number {
  const total = connections * replicas;
  const publishes = (total / Math.min(audience, total)) * rate;
  const heard = (publishes * hearing(Math.min(audience, total), replicas)) / replicas;
  const own = publishes / replicas;
  return (
    connections * (costs.rest.value + rate * costs.delivery.value + costs.connect.value / LIFETIME) +
    // A publish is measured where the publishing replica hears it, too, and delivers it once.
    own * Math.max(0, costs.publish.value - costs.delivery.value) +
    (heard - own) * costs.hear.value
  );
}

/** How many replicas and shards so many connections need, by arithmetic on what was measured. */
export function planFor(costs: Costs, workload: Workload, total: number): Plan {
  const byMemory = Math.floor((MEMORY - BASE_MEMORY) / (costs.memory.value + KERNEL_MEMORY));
  // While a storm is served, the rest of the load goes on.
  const byStorm = Math.floor((STORM_LIMIT * (1e6 - PLANNED)) / comeBackCost(costs));
  const fits = (replicas: number): boolean =>
    replicaLoad(costs, workload, total / replicas, replicas) <= PLANNED;
  const least = Math.max(1, Math.ceil(total / Math.min(byMemory, byStorm)));
  const replicas = fits(least) ? least : smallest(least, fits);
  const perReplica = Math.ceil(total / replicas);
  const limit = replicas > least ? 'CPU' : byMemory < byStorm ? 'memory' : 'storm';

  const channels = total / Math.min(workload.audience, total);
  const publishes = channels * workload.rate;
  const heard = hearing(Math.min(workload.audience, total), replicas);
  const cpu = costs.redisPublish.value + heard * costs.redisReplica.value;
  const bytes = costs.redisAnswer.value + heard * costs.redisCopy.value;
  const byCpu = Math.ceil((publishes * cpu) / PLANNED);
  const byBandwidth = Math.ceil((publishes * bytes) / BANDWIDTH);
  const shards = Math.max(1, byCpu, byBandwidth);
  return {
    replicas,
    perReplica,
    limit,
    publishes,
    deliveries: total * workload.rate,
    hearing: heard,
    shards,
    shardLimit: byBandwidth > byCpu ? 'bandwidth' : 'CPU',
    sent: publishes * bytes,
    connectionsPerShard: replicas * 3,
    possible: channels >= shards,
  };
}

/** Events a second that one channel can have when so many replicas hear it: one Redis announces each to all of them. */
export function hotChannelRate(
  costs: Costs,
  replicas: number,
): { readonly rate: number; readonly limit: 'CPU' | 'bandwidth' } {
  const cpu = PLANNED / (costs.redisPublish.value + replicas * costs.redisReplica.value);
  const bandwidth = BANDWIDTH / (costs.redisAnswer.value + replicas * costs.redisCopy.value);
  return { rate: Math.min(cpu, bandwidth), limit: cpu < bandwidth ? 'CPU' : 'bandwidth' };
}

function smallest(above: number, fits: (count: number) => boolean): number {
  let low = above;
  let high = above;
  while (!fits(high) && high < 1e7) high *= 2;
  while (low + 1 < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) high = middle;
    else low = middle;
  }
  return high;
}
