import { setImmediate as nextTurn } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { afterEach, expect, test } from 'vitest';
import type { Sink } from '../../src/delivery/sink.ts';
import { EVENT_FRAMES } from '../../src/stream/event-frames.ts';
import type { SharedBytes } from '../../src/stream/shared-bytes.ts';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { HubFixture } from '../support/hub-fixture.ts';
import { systemCallsOf } from '../support/process-usage.ts';
import { openRaw, requestBytes } from '../support/raw-http.ts';
import { openStream } from '../support/sse-reader.ts';

/** The cost of fan-out, in counts. The counts are the same on every machine, busy or not. */

let broker: Broker | undefined;
afterEach(async () => {
  await broker?.kill();
  broker = undefined;
});

test.runIf(process.platform === 'linux')(
  'a burst costs far less than a system call for each delivery',
  async () => {
    broker = await startBroker();
    const { url, port, key, pid } = broker;
    const streams = await Promise.all(Array.from({ length: 50 }, () => openStream(`${url}/events/news`)));
    await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
    const before = await systemCallsOf(pid);
    const events = 400;
    // The publishes arrive in a few pieces, so that the broker reads them in a few turns of its event loop, however
    // busy the machine is. Several connections, because the broker limits how many pipelined publishes of one
    // connection wait for their answers.
    const publishers = await Promise.all(Array.from({ length: 8 }, () => openRaw(port)));
    const headers = [`Authorization: Bearer ${key}`, 'Content-Length: 1'];
    const publish = requestBytes({ method: 'POST', path: '/publish/news', headers, body: 'x' });
    const each = Buffer.concat(Array.from({ length: events / publishers.length }, () => publish));
    for (const publisher of publishers) publisher.send(each);
    await Promise.all(streams.map((stream) => stream.when(({ events: got }) => got.length === events + 1)));
    const deliveries = events * streams.length;
    // At most one write for each publish's answer. Without joining there would be one write for each delivery, too.
    const perDelivery = ((await systemCallsOf(pid)).writes - before.writes - events) / deliveries;
    expect(perDelivery).toBeLessThan(0.5);
    for (const stream of streams) stream.close();
  },
);

test('every subscriber gets the same bytes, and no copy', async () => {
  const fixture = new HubFixture();
  const given: SharedBytes[][] = [];
  const sinks = Array.from({ length: 20 }, (): Sink => {
    const own: SharedBytes[] = [];
    given.push(own);
    return {
      writable: true,
      deliver: (run) => void own.push(run.as(EVENT_FRAMES)),
      gap: () => undefined,
      waiting: () => undefined,
      ready: () => undefined,
      ended: () => undefined,
    };
  });
  const channel = parseChannelName('news');
  for (const sink of sinks) fixture.hub.subscribe(channel, { from: 'tail' }, sink);
  await nextTurn();
  await nextTurn();
  for (let i = 0; i < 3; i++) {
    await Promise.all([fixture.publish('a'), fixture.publish('b')]);
    await nextTurn();
    await nextTurn();
  }
  const [first = []] = given;
  expect(first).toHaveLength(3);
  for (const own of given) {
    expect(own).toHaveLength(first.length);
    for (const [index, bytes] of own.entries()) expect(bytes).toBe(first[index]);
  }
  await fixture.close();
});

test('a delivery allocates next to nothing', async () => {
  const fixture = new HubFixture();
  const subscribers = 5_000;
  const events = 60;
  let deliveries = 0;
  const sink: Sink = {
    writable: true,
    deliver: (run) => {
      run.as(EVENT_FRAMES);
      deliveries++;
    },
    gap: () => undefined,
    waiting: () => undefined,
    ready: () => undefined,
    ended: () => undefined,
  };
  const channel = parseChannelName('news');
  for (let i = 0; i < subscribers; i++) fixture.hub.subscribe(channel, { from: 'tail' }, sink);
  await nextTurn();
  await nextTurn();
  const publishEach = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await fixture.publish('x');
      await nextTurn();
      await nextTurn();
    }
  };
  await publishEach(40);
  const before = allocated();
  deliveries = 0;
  await publishEach(events);
  const bytes = allocated() - before;
  expect(deliveries).toBe(subscribers * events);
  // One object, closure or promise for each delivery would take more. An event has some, which all subscribers share.
  expect(bytes / deliveries).toBeLessThan(16);
  await fixture.close();
});

/** Bytes that the heap has allocated so far, collected or not. */
function allocated(): number {
  return (getHeapStatistics() as { total_allocated_bytes?: number }).total_allocated_bytes ?? 0;
}
