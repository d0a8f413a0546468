import { seededRandom } from '../../test/support/seeded-random.ts';

/** What a server does with the events of one turn of its event loop. All times are CPU in µs. */
export interface ServerCost {
  /** For each event. */
  readonly event: number;
  /** For each event and connection: the bytes join the output of the connection. */
  readonly add: number;
  /** For each connection in a turn: one write, with all events of the turn. */
  readonly write: number;
  /** Sent for each event and connection, in bytes. */
  readonly bytes: number;
}

export interface HotChannel {
  /** How many replicas hear the channel. */
  readonly replicas: number;
  /** Events a second, at random moments. */
  readonly rate: number;
  /** The Redis that appends, and what it sends to. */
  readonly root: ServerCost;
  /** The servers between Redis and the replicas. Undefined: replicas are connected to Redis itself. */
  readonly relays?: { readonly count: number; readonly cost: ServerCost } | undefined;
  readonly events: number;
  readonly seed: number;
}

export interface HotChannelResult {
  /** From the publish to the replica that hears it, in ms. */
  readonly p50: number;
  readonly p99: number;
  /** CPU of Redis and of the busiest relay, as a share of a core. */
  readonly rootCpu: number;
  readonly relayCpu: number;
  /** Sent by each, in bytes a second. */
  readonly rootSent: number;
  readonly relaySent: number;
  /** How often each replica that was looked at heard each event. */
  readonly heard: readonly number[];
  /** Whether each of these replicas heard all events in order. */
  readonly inOrder: boolean;
}

/** A hop of the network, in ms: the least, and the mean of what chance adds. */
const HOP = 0.2;
const HOP_VARIES = 0.1;
/** How many replicas of each server are looked at. More would only take longer. */
const SAMPLE = 40;

/** When each event arrives at a server, in ms. Never falls, because a connection keeps the order. */
type Arrivals = Float64Array;

interface Served {
  /** The arrivals at each connection that is looked at. */
  readonly arrivals: readonly Arrivals[];
  /** CPU for all events, in µs. */
  readonly cpu: number;
}

/**
 * One server: in each turn it takes all events that have arrived, and then writes once to each connection, one after another.
 * `looked` are the connections whose arrivals are returned.
 */
function serve(
  arriving: Arrivals,
  connections: number,
  looked: readonly number[],
  cost: ServerCost,
  random: () => number,
): Served {
  const arrivals = looked.map(() => new Float64Array(arriving.length));
  let now = 0;
  let cpu = 0;
  for (let first = 0; first < arriving.length;) {
    now = Math.max(now, arriving[first] ?? 0);
    let end = first + 1;
    while (end < arriving.length && (arriving[end] ?? 0) <= now) end++;
    const prepare = (end - first) * (cost.event + connections * cost.add);
    looked.forEach((connection, index) => {
      const to = arrivals[index];
      if (to === undefined) return;
      const written = now + (prepare + (connection + 1) * cost.write) / 1_000;
      const there = written + HOP - HOP_VARIES * Math.log(1 - random());
      // Bytes do not overtake those before them.
      to.fill(Math.max(there, to[first - 1] ?? 0), first, end);
    });
    const work = prepare + connections * cost.write;
    cpu += work;
    now += work / 1_000;
    first = end;
  }
  return { arrivals, cpu };
}

/** Some connections of all, evenly spread, with the first and the last. */
function spread(connections: number, wanted: number): number[] {
  const count = Math.min(connections, wanted);
  return Array.from({ length: count }, (_, i) =>
    Math.round((i * (connections - 1)) / Math.max(1, count - 1)),
  );
}

/** Simulates a channel that many replicas follow, from the publishes to the replicas. The same seed gives the same result. */
export function simulateHotChannel(options: HotChannel): HotChannelResult {
  const { replicas, rate, root, relays, events, seed } = options;
  const random = seededRandom(seed);
  const published = new Float64Array(events);
  for (let i = 0, at = 0; i < events; i++) published[i] = at += (-Math.log(1 - random()) * 1_000) / rate;
  const seconds = (published[events - 1] ?? 0) / 1_000;
  const atRoot = published.map((at) => at + HOP);

  const children = relays?.count ?? replicas;
  const all = relays === undefined ? spread(children, SAMPLE * 5) : spread(children, children);
  const first = serve(atRoot, children, all, root, random);
  let leaves = first.arrivals;
  let busiest = 0;
  const share = relays === undefined ? 0 : Math.ceil(replicas / relays.count);
  if (relays !== undefined) {
    const served = first.arrivals.map((arriving) =>
      serve(arriving, share, spread(share, SAMPLE), relays.cost, random),
    );
    leaves = served.flatMap(({ arrivals }) => arrivals);
    busiest = Math.max(...served.map(({ cpu }) => cpu));
  }
  const waits = new Float64Array(leaves.length * events);
  leaves.forEach((leaf, index) =>
    leaf.forEach((at, i) => (waits[index * events + i] = at - (published[i] ?? 0))),
  );
  waits.sort();
  return {
    p50: waits[Math.floor(waits.length * 0.5)] ?? 0,
    p99: waits[Math.floor(waits.length * 0.99)] ?? 0,
    rootCpu: first.cpu / 1e6 / seconds,
    relayCpu: busiest / 1e6 / seconds,
    rootSent: rate * children * root.bytes,
    relaySent: rate * share * (relays?.cost.bytes ?? 0),
    heard: leaves.map((leaf) => leaf.filter((at) => at > 0).length),
    inOrder: leaves.every((leaf) => leaf.every((at, i) => at >= (leaf[i - 1] ?? 0))),
  };
}

/** How many relays keep each below the planned CPU (µs a second). Two at least, so that one may die. */
export function relaysFor(replicas: number, rate: number, cost: ServerCost, planned: number): number {
  const most = Math.max(1, Math.floor((planned / rate - cost.event) / (cost.add + cost.write)));
  return Math.max(2, Math.ceil(replicas / most));
}

export interface RelayDeath {
  /** How many replicas were connected to the relay. */
  readonly orphans: number;
  /** Events a second on the channel. */
  readonly rate: number;
  /** Replicas notice after this time, in ms: the least, and how much longer at most. */
  readonly notice: readonly [number, number];
  /** CPU of Redis for reading the tail, for a page, and for each event of a page, in µs. */
  readonly read: { readonly tail: number; readonly page: number; readonly event: number };
  /** The share of the core of Redis that is free. */
  readonly free: number;
  readonly seed: number;
}

export interface RelayDeathResult {
  /** The most reads that wait in Redis at once. */
  readonly waiting: number;
  /** The most events that a replica has missed. */
  readonly missed: number;
  /** When the last replica has what it missed, after the death, in s. */
  readonly over: number;
  readonly reads: number;
}

/** The delay before the first new connection, in ms (redis/redis-connections), with its variation. */
const RECONNECT: readonly [number, number] = [37.5, 25];
/** How many events one read of the log returns at most. */
const PAGE = 256;

/**
 * A relay dies. Its replicas notice, connect to others, subscribe, and then read the tail and what they missed from the log: law 2
 * and law 3 of docs/architecture.md. Each replica reads once for all of its subscribers.
 */
export function simulateRelayDeath(options: RelayDeath): RelayDeathResult {
  const { orphans, rate, notice, read, free, seed } = options;
  const random = seededRandom(seed);
  const back = Array.from(
    { length: orphans },
    () => notice[0] + notice[1] * random() + RECONNECT[0] + RECONNECT[1] * random() + 4 * HOP,
  ).toSorted((a, b) => a - b);
  const ends: number[] = [];
  let now = 0;
  let missed = 0;
  let waiting = 0;
  let reads = 0;
  let done = 0;
  for (const at of back) {
    const events = Math.ceil((at * rate) / 1_000);
    const pages = Math.ceil(events / PAGE);
    now = Math.max(now, at) + (read.tail + pages * read.page + events * read.event) / 1_000 / free;
    ends.push(now);
    while ((ends[done] ?? Infinity) <= at) done++;
    waiting = Math.max(waiting, ends.length - done);
    missed = Math.max(missed, events);
    reads += 1 + pages;
  }
  return { waiting, missed, over: now / 1_000, reads };
}
