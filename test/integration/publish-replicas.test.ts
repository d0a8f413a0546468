import { afterAll, beforeAll, expect, test } from 'vitest';
import { publishRaw } from '../support/publish-raw.ts';
import { openStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ replicas: 2 });
});
afterAll(() => stage.close());

test('an event to every channel reaches the subscribers of all replicas, each channel once', async () => {
  const where = ['a', 'b', 'c'].flatMap((channel, i) => [
    { channel, url: stage.urls[i % 2] },
    { channel: 'shared', url: stage.urls[i % 2] },
  ]);
  const streams = await Promise.all(where.map(({ channel, url }) => openStream(`${url}/events/${channel}`)));
  for (const stream of streams) await stream.until('sluice:ready');
  const body = JSON.stringify({ channels: '*', event: 'all', data: 1 });
  const { status, body: answer } = await publishRaw(stage.broker(1), { body });
  expect([status, JSON.parse(answer)]).toEqual([200, { published: 4, complete: true }]);
  for (const stream of streams) {
    expect(await stream.next()).toMatchObject({ event: 'all', data: '1' });
    stream.close();
  }
});

test('two replicas that end a channel at the same time: one of them does, and the other says that it has ended', async () => {
  for (let i = 0; i < 20; i++) {
    const body = JSON.stringify({ channel: `ended.${i}`, data: 'the end', close: true });
    const answers = await Promise.all([0, 1].map((index) => publishRaw(stage.broker(index), { body })));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  }
});

test('a list that is sent to two replicas at the same time with one key is published once', async () => {
  const stream = await openStream(`${stage.urls[0]}/events/once`);
  await stream.until('sluice:ready');
  const body = JSON.stringify(Array.from({ length: 1_000 }, (_, i) => ({ channel: 'once', data: i })));
  const headers = ['Idempotency-Key: k'];
  const answers = await Promise.all(
    [0, 1].map((index) => publishRaw(stage.broker(index), { body, headers })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect(answers[0]?.body).toBe(answers[1]?.body);
  const data: number[] = [];
  while (data.length < 1_000) data.push(Number((await stream.next()).data));
  expect(data).toEqual(Array.from({ length: 1_000 }, (_, i) => i));
  stream.close();
});
