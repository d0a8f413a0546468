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
