import { afterEach, describe, expect, test } from 'vitest';
import { Stage } from '../support/stage.ts';
import { openStream } from '../support/sse-reader.ts';

describe('two replicas on one Redis', () => {
  let stage: Stage;
  afterEach(() => stage.close());

  test('an event published on one arrives on the other', async () => {
    stage = await Stage.open();
    const stream = await openStream(`${stage.broker(1).url}/events/news`);
    await stream.until('sluice:ready');
    const id = await stage.broker(0).publish('news', 'hello');
    expect(await stream.next()).toMatchObject({ id, data: 'hello' });
    stream.close();
  });

  test('a reader that is cut in the middle of 1,000 events resumes on the other replica, with every id once and in order', async () => {
    stage = await Stage.open();
    const [a, b] = [stage.broker(0), stage.broker(1)];
    const before = await openStream(`${b.url}/events/news`);
    await before.until('sluice:ready');
    const ids: string[] = [];
    const publishing = (async () => {
      for (let i = 1; i <= 1_000; i++) ids.push(await a.publish('news', String(i)));
    })();
    await before.when(({ events }) => events.length > 400);
    before.close();
    const first = before.events.slice(1).map(({ id }) => id);

    const after = await openStream(`${a.url}/events/news`, {
      headers: { 'last-event-id': first.at(-1) as string },
    });
    await publishing;
    await after.when(({ events }) => events.some(({ data }) => data === '1000'));
    after.close();
    const second = after.events.filter(({ event }) => event === undefined).map(({ id }) => id);
    expect(after.events.filter(({ event }) => event === 'sluice:gap')).toEqual([]);
    expect([...first, ...second]).toEqual(ids);
  });
});

test('the pub/sub connections are killed again and again: no reader misses an event or gets one twice', async () => {
  const stage = await Stage.open();
  try {
    await stage.addReaders(6);
    const publisher = stage.publisher({ rate: 200 });
    for (let i = 1; i <= 5; i++) {
      await publisher.reached(i * 100);
      await stage.redis.cli('client', 'kill', 'type', 'pubsub');
    }
    await publisher.reached(600);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict).toMatchObject({ gaps: 0 });
    expect(verdict.acknowledged).toBeGreaterThan(600);
    expect(verdict.delivered).toBe(verdict.acknowledged * stage.readers.length);
  } finally {
    await stage.close();
  }
});
