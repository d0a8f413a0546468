import { setTimeout as delay } from 'node:timers/promises';
import type { RedisServer } from '../test/support/redis-server.ts';
import type { Figures } from './figures.ts';
import type { Crew, CrowdPlan, CrowdReport } from './load/crew.ts';
import type { PublishPlan, PublishReport } from './load/publisher-process.ts';
import { LatencyHistogram } from './measure/latency-histogram.ts';
import { monotonicMicros } from './measure/monotonic-micros.ts';
import { MemoryPeak } from './measure/memory-peak.ts';
import { processUsage } from './measure/process-usage.ts';
import { redisUsage } from './measure/redis-usage.ts';
import type { RunningPeer } from './peers/peer.ts';
import { EVENT_SIZE } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** A pause after connecting, so that the cost of connecting does not count for the next step. */
const PAUSE_MS = 1_000;
/** How many connections each process opens at once. A storm has no limit. */
const WINDOW = 128;
/** The time limit for connecting, and for publishing. */
const LIMIT_MS = 60_000;
/** How long to wait for more bytes of streams whose events are not read. */
const LAST_BYTES_MS = 700;
/** The time between two requests to a server in a storm. */
const PROBE_INTERVAL_MS = 5;

/** What a scenario runs on. */
export interface Stage {
  readonly peer: RunningPeer;
  readonly crew: Crew;
  readonly redis: RedisServer | undefined;
  /** Prints a line about a fault that the figures do not show. */
  readonly say: (line: string) => void;
}

/** Runs one scenario once, on a system that has just started. */
export async function runScenario(scenario: Scenario, stage: Stage): Promise<Figures> {
  return scenario.storm ? await runStorm(scenario, stage) : await runLive(scenario, stage);
}

function pidsOf({ servers }: RunningPeer): readonly number[] {
  return servers.map(({ pid }) => pid);
}

/** Connects, rests if the scenario says so, publishes, and waits for the last delivery. */
async function runLive(scenario: Scenario, { peer, crew, redis, say }: Stage): Promise<Figures> {
  const plans = plansOf(scenario, peer);
  const before = await processUsage(pidsOf(peer));
  await crew.connect(scenario.connections, plans.connect);
  await delay(PAUSE_MS);
  const connected = await processUsage(pidsOf(peer));
  const { open, compressed, counted } = await crew.report();
  if (scenario.compress === true && compressed < open)
    say(`${open - compressed} of ${open} answers are not compressed`);

  let rest: Figures = {};
  let begin = connected;
  if (scenario.rest > 0) {
    const since = monotonicMicros();
    await delay(scenario.rest * 1_000);
    begin = await processUsage(pidsOf(peer));
    const share = (begin.cpu - connected.cpu) / (monotonicMicros() - since);
    rest = { cpuAtRest: share * 100, restPerConnection: (share * 1e6) / open };
  }

  const redisBegin = await redisUsage(redis);
  const busy = await loadOf(crew);
  const published = await crew.publish(plans.publish);
  const perSubscriber = (published.acknowledged / scenario.channels) * (scenario.sets?.active ?? 1);
  const wanted = Math.round(perSubscriber * (open - counted));
  await crew.settle(({ distinct }) => distinct >= wanted);
  if (counted > 0) await crew.settle(() => false, { of: 'bytes', patience: LAST_BYTES_MS });
  const loader = await busy();
  const end = await processUsage(pidsOf(peer));
  const redisEnd = await redisUsage(redis);
  const crowd = await crew.report();
  await crew.disconnect();

  const seconds = (crowd.lastAt - published.beganAt) / 1e6;
  const { acknowledged } = published;
  // Those that are only counted got everything, as far as their bytes tell.
  const delivered = crowd.delivered + counted * perSubscriber;
  const answered = new LatencyHistogram(published.latency.counts, published.latency.max);
  const overRedis = redis !== undefined && {
    redisCpuPerPublish: (redisEnd.cpu - redisBegin.cpu) / acknowledged,
    redisBytesPerPublish: (redisEnd.sent - redisBegin.sent) / acknowledged,
  };
  return {
    connections: open,
    cpuPerDelivery: (end.cpu - begin.cpu) / delivered,
    cpuPerPublish: (end.cpu - begin.cpu) / acknowledged,
    ...overRedis,
    deliveriesPerSecond: delivered / seconds,
    bytesPerDelivery: crowd.bytes / delivered,
    publishesPerSecond: acknowledged / ((published.endedAt - published.beganAt) / 1e6),
    ackP50: answered.percentile(0.5) / 1_000,
    ackP99: answered.percentile(0.99) / 1_000,
    p50: crowd.latency.percentile(0.5) / 1_000,
    p99: crowd.latency.percentile(0.99) / 1_000,
    max: crowd.latency.max / 1_000,
    kibPerConnection: (connected.memory - before.memory) / open,
    cpuPerConnect: (connected.cpu - before.cpu) / open,
    ...rest,
    lost: Math.max(0, wanted - crowd.distinct) + crowd.short,
    ...breaches(scenario, crowd, published, say),
    loader,
  };
}

/** Publishes to one subscriber that keeps the ids. Then connects all others at once, each with one of the ids. */
async function runStorm(scenario: Scenario, { peer, crew, redis, say }: Stage): Promise<Figures> {
  const plans = plansOf(scenario, peer);
  await crew.connect(1, { ...plans.connect, keepIds: true });
  const published = await crew.publish(plans.publish);
  await crew.settle(({ distinct }) => distinct >= published.acknowledged);
  const { ids } = await crew.report();
  const positions = (await peer.positions?.('bench.0')) ?? ids;
  await crew.disconnect();
  await delay(PAUSE_MS);

  const redisBegin = await redisUsage(redis);
  const begin = await processUsage(pidsOf(peer));
  const memory = await MemoryPeak.of(pidsOf(peer));
  const busy = await loadOf(crew);
  await crew.probe({ port: peer.servers[0]?.port ?? 0, path: peer.wire.probe, interval: PROBE_INTERVAL_MS });
  await crew.connect(scenario.connections, { ...plans.connect, window: Infinity, positions });
  await crew.settle(({ complete }) => complete >= scenario.connections);
  const loader = await busy();
  const end = await processUsage(pidsOf(peer));
  const peak = await memory.more();
  const probe = await crew.probed();
  const redisEnd = await redisUsage(redis);
  const crowd = await crew.report();
  await crew.disconnect();

  return {
    connections: crowd.open,
    caughtUpP50: crowd.catchUp.percentile(0.5) / 1_000,
    caughtUpAll: crowd.complete < scenario.connections ? Number.NaN : crowd.catchUp.max / 1_000,
    replayed: crowd.delivered,
    stormCpu: (end.cpu - begin.cpu) / 1_000,
    ...(peak !== undefined && { peakMemory: peak / 1_024 }),
    probeP50: probe.percentile(0.5) / 1_000,
    probeP99: probe.percentile(0.99) / 1_000,
    cpuPerReplay: (end.cpu - begin.cpu) / crowd.delivered,
    ...(redis !== undefined && { logReads: redisEnd.scripts - redisBegin.scripts }),
    lost: scenario.connections - crowd.complete,
    ...breaches(scenario, crowd, published, say),
    loader,
  };
}

/** Returns a function that returns how busy the busiest process of subscribers has been since this call, in %. */
async function loadOf(crew: Crew): Promise<() => Promise<number>> {
  const since = monotonicMicros();
  const before = await crew.cpu();
  return async () => {
    const after = await crew.cpu();
    const most = Math.max(...after.map((cpu, index) => cpu - (before[index] ?? 0)));
    return (most / (monotonicMicros() - since)) * 100;
  };
}

function plansOf(
  scenario: Scenario,
  { servers, wire }: RunningPeer,
): { readonly connect: CrowdPlan; readonly publish: PublishPlan } {
  const { channels, publishers, events, rate, sets, perRequest = 1, size = EVENT_SIZE, missed } = scenario;
  const { json = false, compress = false } = scenario;
  const ports = servers.map(({ port }) => port);
  const common = { ports, wire, channels, sets, publishers, size, json, origin: monotonicMicros() };
  return {
    connect: {
      ...common,
      compress,
      window: WINDOW,
      keepIds: false,
      positions: [],
      missed,
      patience: LIMIT_MS,
    },
    publish: { ...common, events, rate, perRequest, patience: LIMIT_MS },
  };
}

function breaches(
  scenario: Scenario,
  crowd: CrowdReport,
  { errors, firstError }: PublishReport,
  say: (line: string) => void,
): Figures {
  if (errors > 0) say(`the first of ${errors} publishes that failed: ${firstError.trim()}`);
  for (const [why, count] of crowd.ends) say(`${count} connections ended: ${why}`);
  return {
    duplicates: crowd.duplicates,
    disorder: crowd.disorder,
    gaps: crowd.gaps,
    errors: errors + Math.max(0, scenario.connections - crowd.open),
  };
}
