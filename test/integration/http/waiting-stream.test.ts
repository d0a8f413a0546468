import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startTlsBrokerOn } from '../../support/broker-on-log.ts';
import type { TlsBrokerOnLog } from '../../support/broker-on-log.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { openHttp2Stream, openLiveStreams, openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { sendJson } from '../../support/send-json.ts';

const ANSWERED = 'sluice_connections_closed_total{reason="answered"}';

/** The types of the events of a stream of the broker, and the data of the others. */
const said = ({ events }: SseStream): string[] => events.map(({ event, data }) => event ?? data);

const total = (texts: ReadonlyMap<string, readonly string[]>): number => [...texts.values()].flat().length;

/** Resolves when the stream has ended. It has to end on purpose, and not with `sluice:closing`. */
async function answered(stream: SseStream): Promise<SseStream> {
  await stream.ended;
  expect([stream.status, stream.complete]).toEqual([200, true]);
  expect(stream.text).toMatch(/^retry: \d+\n:\n/);
  expect(said(stream)).not.toContain('sluice:closing');
  return stream;
}

describe.each(LOGS)('a stream with wait= on %s', (log) => {
  let on: TlsBrokerOnLog;
  beforeAll(async () => {
    on = await startTlsBrokerOn(log, {
      SLUICE_HISTORY_SIZE: '100',
      SLUICE_CHANNELS: JSON.stringify([{ match: 'short.*', history: { size: 2 } }]),
    });
  });
  afterAll(() => on.stop());

  let count = 0;
  const fresh = (kind = 'news'): string => `${kind}.${++count}`;
  const overHttp1 = (path: string): Promise<SseStream> => openStream(`${on.broker.url}${path}`);
  const overHttp2 = (path: string): Promise<SseStream> => openHttp2Stream(on.session, path);
  const send = (method: string, path: string, body?: unknown): Promise<unknown> =>
    sendJson(on.broker, method, path, body);

  describe.each([
    ['HTTP/1.1', overHttp1],
    ['HTTP/2', overHttp2],
  ])('over %s', (_version, open) => {
    test('ends after sluice:ready with what there is, or at its deadline', async () => {
      const channel = fresh();
      const id = await on.broker.publish(channel, 'one');
      for (const wait of ['0s', '50ms', '0.01ms']) {
        const empty = await answered(await open(`/events/${channel}?wait=${wait}`));
        expect(empty.events).toMatchObject([{ id, event: 'sluice:ready' }]);
      }
      for (const wait of ['0s', '60s', '1m'])
        expect(said(await answered(await open(`/events/${channel}?last=1&wait=${wait}`)))).toEqual([
          'one',
          'sluice:ready',
        ]);
    });

    test('ends with the next event, the end of the channel, and the deletion of its events', async () => {
      const channel = fresh();
      const stream = await open(`/events/${channel}?wait=60s`);
      await stream.until('sluice:ready');
      const id = await on.broker.publish(channel, 'one');
      expect((await answered(stream)).events.slice(1)).toMatchObject([{ id, data: 'one' }]);
      const cleared = await open(`/events/${channel}?wait=60s&last_event_id=${id}`);
      await cleared.until('sluice:ready');
      await send('DELETE', `/channels/${channel}`);
      expect(said(await answered(cleared))).toEqual(['sluice:ready', 'sluice:cleared']);
      const ending = await open(`/events/${channel}?wait=60s`);
      await ending.until('sluice:ready');
      await send('POST', '/publish', { channel, close: true });
      expect(said(await answered(ending))).toEqual(['sluice:ready', 'sluice:end']);
      expect((await open(`/events/${channel}?wait=60s&last_event_id=${ending.events[1]?.id}`)).status).toBe(
        204,
      );
    });

    test('has a gap and what follows it, or the whole state', async () => {
      const channel = fresh('short');
      const first = await on.broker.publish(channel, 'one');
      for (const text of ['two', 'three', 'four']) await on.broker.publish(channel, text);
      const gap = await answered(await open(`/events/${channel}?wait=60s&last_event_id=${first}`));
      expect(said(gap)).toEqual(['sluice:gap', 'three', 'four', 'sluice:ready']);
      const unread = await answered(await open(`/events/${channel}?wait=60s&last_event_id=unreadable`));
      expect(said(unread)).toEqual(['sluice:gap', 'sluice:ready']);
      const keys = Array.from({ length: 300 }, (_, i) => ({
        channel,
        key: `k${i}`,
        data: 'x'.repeat(1_000),
      }));
      await send('POST', '/publish', keys);
      const state = await answered(await open(`/events/${channel}?state&wait=0s`));
      expect([state.events.length, said(state).at(-1)]).toEqual([301, 'sluice:ready']);
    });

    test('of many channels has the end of a channel once as news, and then waits for the others', async () => {
      const [ended, other] = [fresh(), fresh()];
      const path = `/events?channel=${ended}&channel=${other}&wait=60s`;
      const first = await open(path);
      await first.until('sluice:ready');
      await send('POST', '/publish', { channel: ended, data: 'last', close: true });
      expect(said(await answered(first))).toEqual(['sluice:ready', 'last', 'sluice:end']);
      const second = await open(`${path}&last_event_id=${first.events.at(-1)?.id}`);
      await second.until('sluice:ready');
      await on.broker.publish(other, 'live');
      expect(said(await answered(second))).toEqual(['sluice:end', 'sluice:ready', 'live']);
    });

    test('is ended by /disconnect with sluice:closing', async () => {
      const channel = fresh();
      const stream = await open(`/events/${channel}?wait=60s`);
      await stream.until('sluice:ready');
      await send('POST', '/disconnect', { channel });
      await stream.ended;
      expect([stream.complete, ...said(stream)]).toEqual([true, 'sluice:ready', 'sluice:closing']);
    });

    test('of many channels, read one after the other, misses and repeats nothing', async () => {
      const random = seededRandom(count);
      const channels = Array.from({ length: 8 }, () => fresh());
      const query = channels.map((name) => `channel=${name}`).join('&');
      const published = new Map<string, string[]>(channels.map((name) => [name, []]));
      const got = new Map<string, string[]>(channels.map((name) => [name, []]));
      const publishing = (async () => {
        for (let i = 0; i < 60; i++) {
          const some = channels.filter(() => random() < 0.4).map((channel) => ({ channel, data: `${i}` }));
          if (some.length > 0) await send('POST', '/publish', some);
          for (const { channel, data } of some) published.get(channel)?.push(data);
        }
      })();
      let cursor = channels.map((name) => `${name}@0-0`).join(',');
      const done = publishing.then(() => total(published));
      let wanted = Infinity;
      void done.then((all) => (wanted = all));
      while (total(got) < wanted) {
        const wait = random() < 0.7 ? '&wait=200ms' : '';
        const stream = await open(`/events?${query}${wait}&last_event_id=${encodeURIComponent(cursor)}`);
        if (wait === '') {
          await stream.until('sluice:ready');
          stream.close();
        } else await answered(stream);
        for (const { id = '', event, data } of stream.events) {
          cursor = id;
          if (event === undefined) got.get(id.split('@')[0] ?? '')?.push(data);
          else expect(event).toBe('sluice:ready');
        }
      }
      await done;
      expect(got).toEqual(published);
    });
  });
});

describe('a stream with wait=', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.kill());

  test('of a thousand readers ends for all at the next event, and is counted as answered', async () => {
    const streams = await openLiveStreams(`${broker.url}/events/news?wait=60s`, 1_000);
    await broker.publish('news', 'one');
    for (const stream of await Promise.all(streams.map(answered)))
      expect(said(stream)).toEqual(['sluice:ready', 'one']);
    const metrics = await readMetrics(broker.url);
    expect([metrics.get(ANSWERED), metrics.get('sluice_connections')]).toEqual([1_000, 0]);
  });

  test('of a slow reader ends after everything that it asked for', async () => {
    const text = 'x'.repeat(1_000_000);
    for (let i = 0; i < 12; i++) await broker.publish('large', text);
    const stream = await openStream(`${broker.url}/events/large?last_event_id=earliest&wait=0s`);
    stream.pause();
    await broker.publish('large', 'behind');
    stream.resume();
    await answered(stream);
    expect(said(stream).slice(0, 12)).toEqual(Array.from({ length: 12 }, () => text));
    expect(said(stream)).toContain('sluice:ready');
  });

  test('is refused with a clear answer when the time is wrong, and beside plain', async () => {
    for (const wrong of ['wait=', 'wait=61s', 'wait=-1s', 'wait=1', 'wait=1s&wait=1s', 'wait=2m']) {
      for (const path of [`/events/news?${wrong}`, `/events?channel=news&${wrong}`]) {
        const { code, detail } = readProblem(await exchange(broker.port, { path }), 400);
        expect([code, detail]).toEqual(['invalid-query', expect.stringContaining('wait= needs a time')]);
      }
    }
    const plain = await exchange(broker.port, { path: '/events/news?plain&wait=1s' });
    expect(readProblem(plain, 400).detail).toContain('Remove plain or wait=.');
    const active = await fetch(`${broker.url}/events/empty?only=active&wait=60s`);
    expect(active.status).toBe(204);
    const head = await fetch(`${broker.url}/events/news?wait=60s`, { method: 'HEAD' });
    expect([head.status, head.headers.get('cache-control')]).toEqual([200, 'no-store, no-transform']);
    expect((await readMetrics(broker.url)).get('sluice_connections')).toBe(0);
  });
});

test('while the log is away a stream with wait= ends without sluice:ready at its deadline', async () => {
  const redis = await startRedis();
  const broker = await startBroker({ REDIS_URL: redis.url });
  try {
    await broker.logged('redis: up');
    const id = await broker.publish('news', 'one');
    await redis.kill();
    const paths = [`/events/news?wait=0s&last_event_id=${id}`, '/events?channel=news&channel=a&wait=1s'];
    const streams = await Promise.all(paths.map((path) => openStream(`${broker.url}${path}`)));
    for (const stream of await Promise.all(streams.map(answered))) expect(stream.events).toEqual([]);
  } finally {
    await broker.kill();
    await redis.stop();
  }
});
