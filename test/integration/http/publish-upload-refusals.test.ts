import { describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openUpload, take, uploaded, watch } from '../../support/upload.ts';

// An upload that the broker ends before it is complete.

test('the rates count each event, and an upload is refused where it exceeds them', async () => {
  const broker = await startBroker({ SLUICE_PUBLISH_RATE_PER_KEY: '10/h' });
  try {
    const list = JSON.stringify(Array.from({ length: 6 }, () => ({ channel: 'rated', data: 1 })));
    const first = await publishRaw(broker, { body: list });
    expect([first.status, first.header('ratelimit')]).toEqual([200, expect.stringContaining('r=4')]);
    const stream = await watch(broker, 'rated');
    const sent = await openUpload(broker, 'rated?each=line');
    for (const line of ['a', 'b', 'c', 'd']) {
      sent.send(`${line}\n`);
      await stream.next();
    }
    sent.send('e\n');
    const refused = await sent.answer();
    expect(readProblem(refused, 429)).toMatchObject({ code: 'too-many-requests', members: { published: 4 } });
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(0);
    expect((await publishRaw(broker, { body: list })).status).toBe(429);
    stream.close();
  } finally {
    await broker.kill();
  }
});

test('an upload ends with 503 when the log is lost, and says how much of it is in the log', async () => {
  const redis = await startRedis();
  const broker = await startBroker({ REDIS_URL: redis.url });
  try {
    await broker.logged('redis: up');
    const key = ['Idempotency-Key: k'];
    const stream = await watch(broker, 'up');
    const sent = await openUpload(broker, 'up?each=line', key);
    sent.send('a\nb\n');
    expect(await take(stream, 2)).toEqual(['a', 'b']);
    await redis.pause();
    sent.send('c\n');
    const answer = await sent.answer();
    await redis.resume();
    expect(readProblem(answer, 503)).toMatchObject({ code: 'log-unavailable', members: { published: 2 } });
    expect(answer.header('retry-after')).toBe('1');
    const again = async (): Promise<RawAnswer> =>
      await publishRaw(broker, { path: '/publish/up?each=line', headers: key, body: 'a\nb\nc\nd' });
    await expect.poll(async () => (await again()).status).toBe(200);
    expect(await take(stream, 2)).toEqual(['c', 'd']);
    stream.close();
  } finally {
    await broker.kill();
    await redis.stop();
  }
});

describe('a draining replica', () => {
  test('lets an upload finish', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '30s' });
    const stream = await watch(broker, 'up');
    const sent = await openUpload(broker, 'up?each=line');
    sent.send('a\n');
    await stream.next();
    const exit = broker.stop();
    await broker.logged('draining');
    sent.send('b\n');
    expect(uploaded(await sent.finish()).published).toBe(2);
    expect((await exit).code).toBe(0);
  });

  test('ends an upload after the drain window, and says how much of it is in the log', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '100ms' });
    const stream = await watch(broker, 'up');
    const sent = await openUpload(broker, 'up?each=line');
    sent.send('a\nb');
    await stream.next();
    const exit = broker.stop();
    const answer = await sent.answer();
    const { code, detail, members } = readProblem(answer, 503);
    expect([code, detail, members]).toEqual([
      'log-unavailable',
      expect.stringContaining('shutting down'),
      { published: 1 },
    ]);
    expect(answer.header('retry-after')).toBe('1');
    expect((await exit).code).toBe(0);
  });
});
