import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({ replicas: 2 });
});
afterAll(() => stage.close());

const CHANNELS = ['a', 'b', 'c', 'd', 'e'];
const QUERY = CHANNELS.map((name) => `channel=${name}`).join('&');

test('a reader that changes the replica at every second event gets each event of each channel once', async () => {
  const first = await openStream(`${stage.urls[0]}/events?${QUERY}`);
  let cursor = (await first.until('sluice:ready')).at(-1)?.id ?? '';
  first.close();
  const published: Record<string, string[]> = {};
  const publishing = Promise.all(
    CHANNELS.map(async (channel, index) => {
      for (let i = 0; i < 20; i++)
        (published[channel] ??= []).push(await stage.broker(index % 2).publish(channel, String(i)));
    }),
  );
  const received: Record<string, string[]> = {};
  for (let count = 0; count < 100; count += 2) {
    const url = `${stage.urls[(count / 2) % 2]}/events?${QUERY}`;
    const stream = await openStream(url, { headers: { 'last-event-id': cursor } });
    const messages = () => stream.events.filter(({ event }) => event === undefined);
    await stream.when(() => messages().length >= 2);
    stream.close();
    expect(stream.events.filter(({ event }) => event === 'sluice:gap')).toEqual([]);
    for (const { id = '' } of messages().slice(0, 2)) {
      const [channel = '', own = ''] = (id.split(',')[0] ?? '').split('@');
      (received[channel] ??= []).push(own);
      cursor = id;
    }
  }
  await publishing;
  expect(received).toEqual(published);
});
