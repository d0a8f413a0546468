import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { openStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

/** How many events are published before, and after, a fault. */
const SOME = 150;

let stage: Stage;
afterEach(() => stage.close());

describe('Redis', () => {
  test('kills all connections of every replica', async () => {
    stage = await Stage.open();
    await stage.addReaders(4);
    const publisher = stage.publisher();
    for (let i = 1; i <= 3; i++) {
      await publisher.reached(i * SOME);
      await stage.redis.cli('client', 'kill', 'type', 'normal');
      await stage.redis.cli('client', 'kill', 'type', 'pubsub');
    }
    await publisher.reached(4 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
  });

  test.each([1, 6])('is frozen for %i s: connections stay open and nothing answers', async (seconds) => {
    stage = await Stage.open();
    await stage.addReaders(2);
    const publisher = stage.publisher();
    await publisher.reached(SOME);
    await stage.redis.pause();
    // The duration of the fault is what is tested; the test waits for nothing here.
    await delay(seconds * 1000);
    await stage.redis.resume();
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
  });

  test('is frozen: a publish fails soon, and no stream is closed', async () => {
    stage = await Stage.open({ replicas: 1 });
    const broker = stage.broker(0);
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    await stage.redis.pause();
    const publish = (): Promise<Response> =>
      fetch(`${broker.url}/publish/news`, {
        method: 'POST',
        headers: { authorization: `Bearer ${broker.key}`, 'idempotency-key': 'once' },
        body: 'x',
        // The contract says within a second. A busy machine gets three, still less than giving up a connection takes (4
        // s).
        signal: AbortSignal.timeout(3_000),
      });
    for (let i = 0; i < 3; i++) {
      const answer = await publish();
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    }
    expect((await fetch(`${broker.url}/livez`)).status).toBe(200);
    await stage.redis.resume();
    await expect.poll(async () => (await publish()).status).toBe(200);
    expect(await stream.next()).toMatchObject({ data: 'x' });
    stream.close();
  });

  test('is killed and comes back with its append-only file', async () => {
    stage = await Stage.open({ redis: { appendonly: true } });
    await stage.addReaders(2);
    const publisher = stage.publisher();
    await publisher.reached(SOME);
    await stage.redis.kill();
    await stage.redis.restart();
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
  });

  test('comes back empty: every reader gets a gap, and every later event is delivered', async () => {
    stage = await Stage.open();
    await stage.addReaders(2);
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(SOME);
    await stage.redis.kill();
    await stage.redis.restart();
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBeGreaterThanOrEqual(stage.readers.length);
  });

  test('is flushed while readers are live', async () => {
    stage = await Stage.open();
    const rovers = await stage.addReaders(4);
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(SOME);
    await stage.redis.cli('flushall');
    await publisher.reached(2 * SOME);
    rovers[0]?.cut();
    rovers[1]?.cut();
    await publisher.reached(3 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
  });

  test('is flushed and its clock goes back: ids begin below those already seen, and the events are delivered', async () => {
    stage = await Stage.open();
    await stage.addReaders(2);
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(SOME);
    // An event with an id from the future, as a clock leaves it that ran ahead and was corrected.
    const future = '99999999999999-0';
    const [, newest = ''] =
      /^(\d+-\d+)/.exec(await stage.redis.cli('xrevrange', 'sluice:{news}:log', '+', '-', 'count', '1')) ??
      [];
    publisher.attempted.add('future');
    await stage.redis.cli('xadd', 'sluice:{news}:log', future, 'p', newest, 'f', 'data: future\n\n');
    const acknowledged = publisher.acknowledged.length;
    await publisher.reached(acknowledged + SOME);
    await stage.redis.cli('del', ...['log', 'tail', 'ids'].map((key) => `sluice:{news}:${key}`));
    await publisher.reached(acknowledged + 2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBeGreaterThanOrEqual(stage.readers.length);
  });

  test('is out of memory: publishing fails with that reason, streams stay open, and both go on when there is room', async () => {
    stage = await Stage.open({ redis: { args: ['--maxmemory-policy', 'noeviction'] } });
    await stage.addReaders(2);
    const publisher = stage.publisher();
    await publisher.reached(SOME);
    await stage.redis.cli('config', 'set', 'maxmemory', '1');
    await expect.poll(() => publisher.failures.get('503') ?? 0).toBeGreaterThan(3);
    const answer = await fetch(`${stage.broker(0).url}/publish/news`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stage.broker(0).key}` },
      body: 'x',
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ type: 'urn:sluice:problem:log-full' });
    await stage.redis.cli('config', 'set', 'maxmemory', '0');
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
    expect(stage.readers.map(({ connections }) => connections)).toEqual(stage.readers.map(() => 1));
  });
});

describe('while a reader is away', () => {
  test('history is trimmed: the reader gets a gap from its last id to the first kept event, then the rest', async () => {
    stage = await Stage.open({ env: { SLUICE_HISTORY_SIZE: '50' } });
    const [rover] = await stage.addReaders(1);
    const publisher = stage.publisher({ rate: 2_000 });
    await publisher.reached(20);
    rover?.cut();
    await publisher.reached(600);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
  });

  test('the channel expires: the reader gets a gap when it returns', async () => {
    stage = await Stage.open({ env: { SLUICE_HISTORY_TTL: '1s' } });
    const publisher = stage.publisher();
    await publisher.reached(10);
    await publisher.stop();
    const seen = publisher.acknowledged[4]?.id;
    const url = `${stage.broker(0).url}/events/news?last_event_id=${seen}`;
    const firstEvents = async (): Promise<unknown[]> => {
      const stream = await openStream(url);
      const events = await stream.until('sluice:ready');
      stream.close();
      return events.map(({ event, data }) => [event, data]);
    };
    await expect.poll(firstEvents, { timeout: 10_000 }).toEqual([
      ['sluice:gap', JSON.stringify({ channel: 'news', after: seen, before: null })],
      ['sluice:ready', JSON.stringify({ channels: { news: publisher.acknowledged.at(-1)?.id } })],
    ]);
  });
});

describe('a replica', () => {
  test('is killed with SIGKILL, and comes back', async () => {
    stage = await Stage.open();
    await stage.addReaders(4);
    const publisher = stage.publisher();
    await publisher.reached(SOME);
    await stage.broker(1).kill();
    await publisher.reached(2 * SOME);
    await stage.revive(1);
    await publisher.reached(3 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
    expect(verdict.reconnects).toBeGreaterThan(0);
  });

  test('and then the other one are restarted, as in a rolling update', async () => {
    stage = await Stage.open({ env: { SLUICE_DRAIN_WINDOW: '500ms' } });
    await stage.addReaders(4);
    const publisher = stage.publisher();
    for (const index of [0, 1]) {
      await publisher.reached((index + 1) * SOME);
      expect(await stage.broker(index).stop()).toEqual({ code: 0, signal: null });
      await stage.revive(index);
    }
    await publisher.reached(3 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
    expect(verdict.reconnects).toBeGreaterThanOrEqual(stage.readers.length);
  });
});
