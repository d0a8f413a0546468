import { setTimeout as delay } from 'node:timers/promises';
import { startTcpRelay } from '../../test/support/tcp-relay.ts';
import { BrowserReader } from './browser-reader.ts';
import { PersistentPublisher } from './persistent-publisher.ts';
import type { TortureScenario } from './scenarios.ts';
import { NodeRoute, wait } from './stage.ts';
import type { Stage } from './stage.ts';
import type { System, SystemSource } from './system.ts';
import { judge } from './verdict.ts';
import type { ReaderVerdict } from './verdict.ts';

/** How many publishers publish to the channel. */
const PUBLISHERS = 2;
/** The publisher of the events before the scenario begins. Its events are not judged. */
const WARM_UP_PUBLISHER = PUBLISHERS + 1;
const WARM_UP_LIMIT_MS = 15_000;
const WARM_UP_RATE = 10;
/** How long publishing goes on after the last fault, in ms. */
const CALM_MS = 1_000;
/** How long to wait for events that should not come, after all others have arrived, in ms. */
const LATE_MS = 300;
const POLL_MS = 100;
/** How long a publish under way may take at the end, in ms. */
const LAST_PUBLISH_LIMIT_MS = 10_000;

export interface TortureLoad {
  readonly seconds: number;
  readonly readers: number;
  /** Events per second of all publishers together. */
  readonly rate: number;
  /** How long to wait for the last events, in ms. */
  readonly patienceMs: number;
  /** The reconnection time of a reader, in ms, as long as the server has not said one. */
  readonly retryMs: number;
  readonly stubborn: boolean;
}

export interface TortureOutcome {
  readonly system: string;
  readonly scenario: string;
  /** Why the scenario has no result. */
  readonly notTried?: string;
  readonly failed?: string;
  readonly interrupted?: boolean;
  /** Acknowledged events. */
  readonly published: number;
  readonly readers: readonly ReaderVerdict[];
  readonly notes: readonly string[];
}

export interface TortureHooks {
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Runs one scenario on a system that is started for it and stopped after it. */
export async function runTorture(
  source: SystemSource,
  scenario: TortureScenario,
  load: TortureLoad,
  hooks: TortureHooks,
): Promise<TortureOutcome> {
  const none = { system: source.name, scenario: scenario.name, published: 0, readers: [], notes: [] };
  let system: System | undefined;
  try {
    system = await source.start();
    const missing = scenario.missing?.(system.nodes);
    if (missing !== undefined) return { ...none, notTried: missing };
    return await tortureOf(system, scenario, load, hooks);
  } catch (error) {
    if (hooks.signal.aborted) return { ...none, interrupted: true };
    return { ...none, failed: (error as Error).message.trim() };
  } finally {
    await system?.stop();
  }
}

async function tortureOf(
  system: System,
  scenario: TortureScenario,
  load: TortureLoad,
  { signal, say }: TortureHooks,
): Promise<TortureOutcome> {
  const { nodes, wire } = system;
  const run = Math.random().toString(36).slice(2, 10).padEnd(8, '0');
  const channel = `torture-${scenario.name}-${run}`;
  const readerRoute = new NodeRoute(nodes);
  const publisherRoute = new NodeRoute(nodes);
  scenario.prepare?.({ nodes, readerRoute });
  const relay = await startTcpRelay(() => addressOf(readerRoute.next().subscribeUrl));
  const port = Number(new URL(relay.url).port);
  const reader = { run, port, url: nodes[0].subscribeUrl, channel, wire, ...load };
  const readers = Array.from({ length: load.readers }, () => new BrowserReader(reader));
  const durationMs = load.seconds * 1_000;
  const stage: Stage = {
    nodes,
    readerRoute,
    publisherRoute,
    relay,
    readers,
    durationMs,
    faults: [],
    notes: [],
    signal,
    say,
  };
  const { size, rate } = scenario.load?.(durationMs) ?? { size: 100, rate: load.rate };
  const publisher = { run, channel, wire, size, rate: rate / PUBLISHERS, node: () => publisherRoute.next() };
  const publishers = Array.from(
    { length: PUBLISHERS },
    (_, index) => new PersistentPublisher({ ...publisher, publisher: index + 1 }),
  );
  let interrupted = false;
  try {
    await warmUp(
      stage,
      new PersistentPublisher({ ...publisher, size: 100, rate: WARM_UP_RATE, publisher: WARM_UP_PUBLISHER }),
    );
    publishers.forEach((one) => one.start());
    await scenario.run(stage);
    await wait(stage, CALM_MS);
    await Promise.all(publishers.map((one) => one.stop(LAST_PUBLISH_LIMIT_MS)));
    await untilComplete(stage, publishers, load.patienceMs);
  } catch (error) {
    if (!signal.aborted) throw error;
    interrupted = true;
  } finally {
    await Promise.all(publishers.map((one) => one.stop(0)));
    readers.forEach((one) => one.close());
    await relay.close();
  }
  return {
    system: system.name,
    scenario: scenario.name,
    ...(interrupted && { interrupted }),
    published: publishers.flatMap(acknowledgedOf).length,
    readers: verdicts(stage, publishers),
    notes: stage.notes,
  };
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port, protocol } = new URL(url);
  return {
    host: hostname.replaceAll(/^\[|\]$/g, ''),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
  };
}

function acknowledgedOf({ sent }: PersistentPublisher): readonly object[] {
  return sent.filter(({ acknowledgedAt }) => acknowledgedAt !== undefined);
}

function verdicts(stage: Stage, publishers: readonly PersistentPublisher[]): ReaderVerdict[] {
  const sent = publishers.map((one) => one.sent);
  return stage.readers.map((reader, index) =>
    judge(
      sent,
      reader,
      stage.faults.filter(({ readers }) => readers.includes(index)),
    ),
  );
}

/** Publishes until every reader has got an event: then all streams are live, and each reader has a position. */
async function warmUp(stage: Stage, publisher: PersistentPublisher): Promise<void> {
  const limit = performance.now() + WARM_UP_LIMIT_MS;
  publisher.start();
  try {
    while (stage.readers.some(({ arrivals }) => arrivals.length === 0)) {
      await wait(stage, POLL_MS);
      const gaveUp = stage.readers.find((one) => one.gaveUp !== undefined)?.gaveUp;
      if (gaveUp !== undefined) throw new Error(`A subscriber got no stream: ${gaveUp}.`);
      if (performance.now() < limit) continue;
      const published = acknowledgedOf(publisher).length;
      throw new Error(
        published > 0
          ? `${published} events were published, and a subscriber got none of them.`
          : `No event could be published: ${publisher.lastFailure ?? 'no answer'}.`,
      );
    }
  } finally {
    await publisher.stop(LATE_MS);
  }
}

/** Waits until every reader has everything, or knows what it does not have. */
async function untilComplete(
  stage: Stage,
  publishers: readonly PersistentPublisher[],
  patienceMs: number,
): Promise<void> {
  const limit = performance.now() + patienceMs;
  while (!isComplete(stage, publishers) && performance.now() < limit) await wait(stage, POLL_MS);
  await delay(LATE_MS, undefined, { signal: stage.signal });
}

function isComplete(stage: Stage, publishers: readonly PersistentPublisher[]): boolean {
  const last = publishers.map(
    ({ sent }) => sent.findLastIndex((one) => one.acknowledgedAt !== undefined) + 1,
  );
  const hasLast = stage.readers.every(({ arrivals }) =>
    last.every(
      (number, index) =>
        number === 0 ||
        arrivals.findLast((one) => one.publisher === index + 1 && one.number >= number) !== undefined,
    ),
  );
  return hasLast && verdicts(stage, publishers).every(({ missingInSilence }) => missingInSilence === 0);
}
