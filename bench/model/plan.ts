import type { Costs } from './costs.ts';

/** The planned CPU of a process on one core, in µs a second. The rest is a reserve for storms and uneven loads. */
export const PLANNED = 0.6e6;
/** The memory of one replica, in KiB: 4 GiB. */
const MEMORY = 4 * 1024 * 1024;
/** The kernel's memory for an idle connection, in KiB: structures of two TCP buffers and an inode. Not measured. */
const KERNEL_MEMORY = 4;
/** The memory of a replica without connections, in KiB. */
const BASE_MEMORY = 120 * 1024;
/** How long a connection lasts, in seconds. Pages are left, proxies have limits, phones sleep. */
const LIFETIME = 3_600;
/** In seconds: when all clients reconnect at once, as after a restart of all edges, all must be served within this time. */
const STORM_LIMIT = 30;
/** How many events each client has missed in such a storm. */
const STORM_BACKLOG = 100;
/** The planned output of one Redis, in bytes a second: 60 % of 10 Gbit/s. */
export const BANDWIDTH = 0.75e9;

/** The load of one kind of application. */
export interface Workload {
  readonly name: string;
  readonly about: string;
  /** How many subscribers a channel has. Infinity: everybody subscribes to one channel. */
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
  /** What limits the connections of a replica. */
  readonly limit: 'CPU' | 'memory' | 'storm';
  readonly publishes: number;
  readonly deliveries: number;
  /** How many replicas hear an event of a channel, on average. */
  readonly hearing: number;
  readonly shards: number;
  readonly shardLimit: 'CPU' | 'bandwidth';
  /** The output of all Redis servers together, in bytes a second. */
  readonly sent: number;
  /** Each replica holds three connections to each shard: for commands, for pages and for announcements. */
  readonly connectionsPerShard: number;
  /** False when a single channel needs more than one Redis server can do. */
  readonly possible: boolean;
}

/** The CPU of a replica for one client that reconnects in a storm, in µs. */
export function comeBackCost(costs: Costs): number {
  return costs.connect.value + STORM_BACKLOG * costs.replay.value;
}

/** How many replicas have at least one of `audience` subscribers, which are spread at random. */
function hearing(audience: number, replicas: number): number {
  return audience === Infinity ? replicas : replicas * (1 - (1 - 1 / replicas) ** audience);
}

/** The CPU of one of `replicas` replicas, in µs a second, when it has `connections` of all `total` connections. */
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
    // The measured cost of a publish includes hearing the event and delivering it once at the publishing replica.
    own * Math.max(0, costs.publish.value - costs.delivery.value) +
    (heard - own) * costs.hear.value
  );
}

/** Computes from measured costs how many replicas and shards a number of connections needs. */
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
