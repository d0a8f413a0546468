import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_HEARTBEAT: '100ms' });
});
afterAll(() => broker.kill());

test('a quiet stream gets a colon and LF, again and again, without a blank line', async () => {
  const stream = await openStream(`${broker.url}/events/quiet`);
  await stream.until('sluice:ready');
  const before = stream.text.length;
  await stream.when(({ text }) => text.length >= before + 6);
  expect(stream.text.slice(before)).toMatch(/^(?::\n){3,}$/);
  expect(stream.events).toHaveLength(1);
  stream.close();
});

test('with ?heartbeat=event the heartbeat is an event with the time and the position', async () => {
  const id = await broker.publish('alive', 'x');
  const stream = await openStream(`${broker.url}/events/alive?heartbeat=event`);
  const began = Date.now();
  for (const beat of (await stream.until('sluice:heartbeat')).slice(1)) {
    expect(beat).toMatchObject({ id, event: 'sluice:heartbeat' });
    expect(Math.abs(Date.parse(beat.data) - began)).toBeLessThan(60_000);
    expect(new Date(beat.data).toISOString()).toBe(beat.data);
  }
  await stream.until('sluice:heartbeat');
  expect(stream.text).not.toMatch(/^:\n(?!id: \S+\nevent: sluice:ready)/m);
  stream.close();
});

test('a stream that asks for earlier heartbeats gets comments, and no stream gets them later than the setting', async () => {
  // The stall timeout makes the broker sweep often.
  const calm = await startBroker({ SLUICE_HEARTBEAT: '1h', SLUICE_STALL_TIMEOUT: '1s' });
  const paths = [
    `${calm.url}/events/quiet?heartbeat=1s`,
    `${calm.url}/events/quiet?plain&heartbeat=1000ms`,
    `${calm.url}/events?channel=quiet&channel=calm&heartbeat=1.1s`,
    `${broker.url}/events/quiet?heartbeat=60s`,
  ];
  try {
    const streams = await Promise.all(paths.map((path) => openStream(path)));
    // The first comment comes with the head.
    await Promise.all(streams.map((stream) => stream.when(({ comments }) => comments.length > 1)));
    for (const stream of streams) {
      expect(stream.text.replace(/^[^]*event: sluice:ready\n.*\n\n|^retry: \d+\n:\n/, '')).toMatch(
        /^(?::\n)+$/,
      );
      stream.close();
    }
  } finally {
    await calm.kill();
  }
});

test.each([
  'comment',
  '',
  '1',
  'event&heartbeat=event',
  'event,5s',
  '999ms',
  '0s',
  '60.1s',
  '2m',
  '5s&heartbeat=5s',
])('?heartbeat=%s is an error', async (value) => {
  const answer = await exchange(broker.port, { path: `/events/alive?heartbeat=${value}` });
  expect(readProblem(answer, 400).code).toBe('invalid-query');
});

test('an event between two heartbeats is not broken', async () => {
  const stream = await openStream(`${broker.url}/events/mixed`);
  await stream.until('sluice:ready');
  const before = stream.text.length;
  await stream.when(({ text }) => text.length >= before + 2);
  const id = await broker.publish('mixed', 'a\nb', 'typed');
  await stream.until('typed');
  const after = stream.text.length;
  await stream.when(({ text }) => text.length >= after + 2);
  expect(stream.text.slice(before).replaceAll(/^:\n/gm, '')).toBe(
    `id: ${id}\nevent: typed\ndata: a\ndata: b\n\n`,
  );
  stream.close();
});
