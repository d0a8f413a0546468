import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { Disk, cutPower } from '../support/disk.ts';
import type { DiskOperation } from '../support/disk-shim.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { openLiveStreams } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { StoreFolder } from '../support/store-folder.ts';

/** By hand: CUTS=5000 SEED=7 npm test -- test/faults/disk-cut-points.test.ts */
const CUTS = Number(process.env['CUTS'] ?? 40);
const SEED = Number(process.env['SEED'] ?? 1);
vi.setConfig({ testTimeout: 60_000 + 1_000 * CUTS });

const CHANNELS = ['a', 'b', 'c', 'd'];
const PUBLISHERS = 32;
/** Of each publisher. With the smallest log, this is enough for several checkpoints. */
const EVENTS = 40;

/** An event that has to be in the log from some time on: a publisher got its answer, or a reader got the event. */
interface Known {
  readonly channel: string;
  readonly id: string;
  readonly text: string;
  /** As `process.hrtime` counts. */
  readonly at: bigint;
}

async function publishSome(broker: Broker, name: string, known: Known[]): Promise<void> {
  for (let i = 0, done = 0; done < EVENTS; i++) {
    const channel = CHANNELS[i % CHANNELS.length] as string;
    const text = `${name}-${i} ${'x'.repeat(1_000 * (i % 8))}`;
    const id = await broker.publish(channel, text).catch(() => undefined);
    if (id === undefined) {
      // A sync has failed.
      await delay(50);
      continue;
    }
    known.push({ channel, id, text, at: process.hrtime.bigint() });
    done++;
  }
}

/** Notes what the stream gets, until it ends. */
async function noteEvents(stream: SseStream, channel: string, known: Known[]): Promise<void> {
  try {
    for (;;) {
      const { id = '', event, data } = await stream.next();
      if (event === undefined) known.push({ channel, id, text: data, at: process.hrtime.bigint() });
    }
  } catch {
    // The broker has ended.
  }
}

/** Runs a broker from its first start to its orderly end, with three failed syncs: one is the last before the end. Returns what its disk has done, and what was known when. */
async function runBroker(): Promise<{ trace: readonly DiskOperation[]; known: readonly Known[] }> {
  const folder = await dataFolder();
  const disk = await Disk.under(folder.path);
  try {
    const broker = await startBroker({
      SLUICE_DATA_DIR: folder.path,
      SLUICE_DATA_BYTES: String(16 * 1024 * 1024),
      ...disk.shim.env,
    });
    const known: Known[] = [];
    const reading = CHANNELS.map(async (channel) => {
      const [stream] = await openLiveStreams(`${broker.url}/events/${channel}`, 1);
      return noteEvents(stream as SseStream, channel, known);
    });
    const publishing = Array.from({ length: PUBLISHERS }, (_, i) => publishSome(broker, `p${i}`, known));
    for (const share of [1 / 3, 2 / 3]) {
      while (known.length < PUBLISHERS * EVENTS * share) await delay(1);
      disk.shim.breakSyncs();
      await disk.shim.failed();
      disk.shim.heal();
    }
    await Promise.all(publishing);
    disk.shim.breakSyncs();
    await expect(broker.publish('a', 'refused')).rejects.toThrow('503');
    disk.shim.heal();
    await broker.stop();
    await Promise.all(reading);
    return { trace: [...disk.shim.takeTrace()], known };
  } finally {
    await disk.shim.remove();
    await folder.remove();
  }
}

/** How many operations belong to the end of the broker, at least. */
const LAST = 100;

/**
 * Cuts at any operation, often at one of the last ones, and half of the time right before or after one that begins or ends a
 * sync.
 */
function chooseCut(trace: readonly DiskOperation[], random: () => number): number {
  const from = random() < 0.25 ? Math.max(0, trace.length - LAST) : 0;
  const any = from + Math.floor(random() * (trace.length - from));
  if (random() < 0.5) return any;
  const sync = trace.findIndex(({ kind }, index) => index >= any && kind.startsWith('sync'));
  return Math.max(0, sync + Math.floor(random() * 4) - 1);
}

/** Opens the log in a folder, and returns one sentence for each thing that is wrong with it. */
function faultsOf(folder: string, known: readonly Known[]): string[] {
  const clocks = { wallClock: Date.now, steadyClock: () => performance.now() };
  const files = new StoreFolder({ folder, ...clocks });
  const faults = files.notices.map((notice) => `it says ${JSON.stringify(notice)}`);
  for (const channel of CHANNELS) {
    const { events, gaps } = files.content(channel);
    if (gaps > 0) faults.push(`${channel} has ${gaps} gaps`);
    const texts = new Map(events.map(({ id, record }) => [String(id), record.toString()]));
    if (new Set(texts.values()).size < texts.size) faults.push(`${channel} has an event twice`);
    for (const { id, text } of known.filter((one) => one.channel === channel))
      if (texts.get(id)?.includes(text) !== true) faults.push(`${channel} lacks ${id}`);
    // It goes on.
    const last = events.at(-1)?.id ?? '0-0';
    if (files.append(channel, ['next']).prev !== last) faults.push(`${channel} does not go on from ${last}`);
  }
  files.store.close();
  return faults;
}

test('whenever the power is cut: what a publisher or a reader knew by then is in the log, which opens and goes on', async () => {
  const random = seededRandom(SEED);
  const { trace, known } = await runBroker();
  const folder = await dataFolder();
  for (let i = 0; i < CUTS; i++) {
    const cut = chooseCut(trace, random);
    const time = trace[cut]?.time ?? 0n;
    await cutPower(folder.path, trace.slice(0, cut), random);
    const before = known.filter(({ at }) => at < time);
    expect({ cut, faults: faultsOf(folder.path, before) }).toEqual({ cut, faults: [] });
    await rm(folder.path, { recursive: true });
  }
  await folder.remove();
});
