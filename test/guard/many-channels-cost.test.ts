import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { FairLoop } from '../../src/delivery/fair-loop.ts';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { ChannelSetStream } from '../../src/stream/channel-set-stream.ts';
import { ChannelSets } from '../../src/stream/channel-set.ts';
import { HubFixture } from '../support/hub-fixture.ts';

/** The cost of connections with many channels, in bytes and counts. */

const CONNECTIONS = 1_000;
const PER_CONNECTION = 20;
/** Channels of a group. A connection has one channel of each group, so a channel has 20 subscribers. */
const GROUP = 50;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Bytes that the heap has allocated so far, collected or not. */
function allocated(): number {
  return (getHeapStatistics() as { total_allocated_bytes?: number }).total_allocated_bytes ?? 0;
}

interface Cost {
  /** Bytes of the heap for each channel of a connection. */
  readonly held: number;
  /** Bytes that the heap allocates for each delivery. */
  readonly perDelivery: number;
  /** Different objects that were written, for each delivery. */
  readonly encodings: number;
}

/** @param different whether no two connections have the same channels; otherwise 20 share a set */
async function costOf(different: boolean): Promise<Cost> {
  const fixture = new HubFixture();
  const loop = new FairLoop();
  const sets = new ChannelSets();
  const names = Array.from({ length: GROUP * PER_CONNECTION }, (_, i) => parseChannelName(`guard.${i}`));
  let deliveries = 0;
  let encodings = 0;
  let last: unknown;
  const count = (bytes: unknown): void => {
    deliveries++;
    if (bytes !== last) encodings++;
    last = bytes;
  };
  const connection = {
    writable: true,
    write: count,
    writeShared: count,
    writeNotice: count,
    writeReady: count,
    finish: count,
  };
  const streams: ChannelSetStream[] = [];
  const open = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      const round = Math.floor(i / GROUP);
      const member = (k: number): number => (i + (different ? k * round : 0)) % GROUP;
      const channels = Array.from({ length: PER_CONNECTION }, (_, k) => k * GROUP + member(k)).flatMap(
        (index) => names[index] ?? [],
      );
      const set = sets.acquire(channels);
      const starts = channels.map(() => ({ from: 'tail' }) as const);
      streams.push(new ChannelSetStream({ hub: fixture.hub, loop, connection, set, starts }));
    }
  };
  const written = (): number => deliveries;
  const untilWritten = async (wanted: number): Promise<void> => {
    while (written() < wanted) await nextTurn();
  };
  // Each stream writes once when it is ready.
  const allLive = (): Promise<void> => untilWritten(streams.length);
  // The first connections make the channels.
  open(0, GROUP);
  await allLive();
  const before = heapUsed();
  open(GROUP, CONNECTIONS);
  await allLive();
  const held = (heapUsed() - before) / (CONNECTIONS - GROUP) / PER_CONNECTION;
  const publish = async (events: number): Promise<void> => {
    for (let i = 0; i < events; i++) {
      const wanted = deliveries + CONNECTIONS / GROUP;
      await fixture.publish('x'.repeat(100), names[i % (GROUP * 5)]);
      await untilWritten(wanted);
    }
  };
  await publish(500);
  [deliveries, encodings] = [0, 0];
  const start = allocated();
  await publish(1_000);
  const perDelivery = (allocated() - start) / deliveries;
  expect(streams).toHaveLength(CONNECTIONS);
  await fixture.close();
  return { held, perDelivery, encodings: encodings / deliveries };
}

test('connections that share a set of channels share what they are sent', async () => {
  const { held, encodings } = await costOf(false);
  expect(encodings).toBeCloseTo(GROUP / CONNECTIONS);
  expect(held).toBeLessThan(400);
});

test('a connection whose set nobody shares holds no more than 400 bytes for each of its channels', async () => {
  const { held, perDelivery } = await costOf(true);
  // The text of an event and of 20 positions. Bytes outside of the heap would take more time and are not counted here.
  expect(perDelivery).toBeLessThan(4_000);
  expect(held).toBeLessThan(400);
});
