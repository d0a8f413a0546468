import { once } from 'node:events';
import { constants } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startTlsBrokerOn } from '../../support/broker-on-log.ts';
import type { TlsBrokerOnLog } from '../../support/broker-on-log.ts';
import type { JsonPage } from '../../support/changing-reader.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { startRedis } from '../../support/redis-server.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { sendJson } from '../../support/send-json.ts';

const SECRET = 'a secret of at least thirty-two bytes';

interface Answer {
  readonly status: number;
  readonly page: JsonPage;
  readonly retryAfter: string | null;
}

async function get(url: string): Promise<Answer> {
  const response = await fetch(url);
  return {
    status: response.status,
    page: (await response.json()) as JsonPage,
    retryAfter: response.headers.get('retry-after'),
  };
}

const openPolls = async (url: string): Promise<number> =>
  (await readMetrics(url)).get('sluice_connections') ?? 0;

const request = (query: string): Buffer => requestBytes({ path: `/channels/news/events?${query}` });

/** Sends a request, and resets its stream. Both leave one right after the other. */
async function reset(session: ClientHttp2Session, path: string): Promise<void> {
  const stream = session.request({ ':path': path }).on('error', () => undefined);
  await nextTurn();
  stream.close(constants.NGHTTP2_CANCEL);
}

describe.each(LOGS)('a long poll on %s', (log) => {
  let on: TlsBrokerOnLog;
  beforeAll(async () => {
    on = await startTlsBrokerOn(log, {
      SLUICE_HISTORY_SIZE: '3',
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_JWT_CLOCK_TOLERANCE: '0s',
      SLUICE_PUBLIC_CHANNELS: 'news.*',
    });
  });
  afterAll(() => on.stop());

  let count = 0;
  const fresh = (): string => `news.${++count}`;
  const overHttp1 = (channel: string, query: string): Promise<Answer> =>
    get(`${on.broker.url}/channels/${channel}/events?${query}`);
  const overHttp2 = async (channel: string, query: string): Promise<Answer> => {
    const stream = on.session.request({ ':path': `/channels/${channel}/events?${query}` });
    const [head] = (await once(stream, 'response')) as [Record<string, string>];
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
    return {
      status: Number(head[':status']),
      page: JSON.parse(text) as JsonPage,
      retryAfter: head['retry-after'] ?? null,
    };
  };
  const waiting = async (n: number): Promise<void> => {
    await expect.poll(() => openPolls(on.broker.url), { interval: 20 }).toBe(n);
  };

  describe.each([
    ['HTTP/1.1', overHttp1],
    ['HTTP/2', overHttp2],
  ])('over %s', (_version, poll) => {
    test('answers with the next events, to all that wait', async () => {
      const channel = fresh();
      const first = await on.broker.publish(channel, 'one');
      const polls = Array.from({ length: 20 }, () => poll(channel, `after=${first}&wait=30s`));
      await waiting(20);
      const id = await on.broker.publish(channel, 'two', 'created');
      for (const { status, page } of await Promise.all(polls)) {
        expect([status, page]).toEqual([
          200,
          {
            channel,
            events: [{ id, event: 'created', data: 'two' }],
            next: id,
            complete: true,
            ended: false,
          },
        ]);
      }
      await waiting(0);
    });

    test('answers at once with events that are kept, and where a stream would have a gap', async () => {
      const channel = fresh();
      const ids: string[] = [];
      for (const text of ['one', 'two', 'three', 'four', 'five'])
        ids.push(await on.broker.publish(channel, text));
      const read = async (query: string): Promise<unknown> => {
        const { page } = await poll(channel, `${query}&wait=30s`);
        return [page.events.map(({ data }) => data), page.next, page.complete];
      };
      expect(await read(`after=${ids[2]}`)).toEqual([['four', 'five'], ids[4], true]);
      expect(await read(`after=${ids[2]}&limit=1`)).toEqual([['four'], ids[3], true]);
      expect(await read(`after=${ids[0]}`)).toEqual([['three', 'four', 'five'], ids[4], false]);
      expect(await read('last=1')).toEqual([['five'], ids[4], true]);
      expect(await read('after=garbage')).toEqual([[], ids[4], false]);
    });

    test('answers at the end of the channel, and when its events are deleted', async () => {
      const channel = fresh();
      const id = await on.broker.publish(channel, 'one');
      const cleared = poll(channel, `after=${id}&wait=30s`);
      await waiting(1);
      await sendJson(on.broker, 'DELETE', `/channels/${channel}`);
      const { page } = await cleared;
      expect(page.events.map(({ event }) => event)).toEqual(['sluice:cleared']);
      const ended = poll(channel, `after=${page.next}&wait=30s`);
      await waiting(1);
      await sendJson(on.broker, 'POST', '/publish', { channel, close: true });
      expect((await ended).page).toEqual({
        channel,
        events: [],
        next: page.next,
        complete: true,
        ended: true,
      });
      expect((await poll(channel, `after=${page.next}&wait=30s`)).page.ended).toBe(true);
    });

    test('answers without events at its deadline, however short', async () => {
      const channel = fresh();
      const id = await on.broker.publish(channel, 'one');
      const empty = { channel, events: [], next: id, complete: true, ended: false };
      expect((await poll(channel, `after=${id}&wait=50ms`)).page).toEqual(empty);
      expect((await poll(channel, 'wait=0.01ms')).page).toEqual(empty);
    });

    test('answers without events when /disconnect ends it', async () => {
      const channel = fresh();
      const disconnected = poll(channel, 'after=0-0&wait=30s');
      await waiting(1);
      await sendJson(on.broker, 'POST', '/disconnect', { channel });
      expect(await disconnected).toMatchObject({ status: 200, page: { events: [], next: '0-0' } });
    });
  });

  test('requests that are reset over HTTP/2 at once leave nothing behind', async () => {
    const big = fresh();
    await on.broker.publish(big, 'x'.repeat(1_000_000));
    // More than all pages that wait for their readers may have together.
    for (let i = 0; i < 80; i++) await reset(on.session, `/channels/${big}/events?last=1`);
    for (let i = 0; i < 5; i++) {
      // A token that the broker does not know yet takes a while.
      const token = signToken({ exp: inSeconds(60 + i), sluice: { subscribe: ['private'] } }, SECRET);
      await reset(on.session, `/channels/private/events?wait=60s&token=${token}`);
    }
    expect((await overHttp2(big, 'last=1')).status).toBe(200);
    await waiting(0);
  });

  test('frees everything when its client leaves', async () => {
    const aborted = new AbortController();
    const url = `${on.broker.url}/channels/${fresh()}/events?wait=30s`;
    const polls = Array.from({ length: 10 }, () => fetch(url, { signal: aborted.signal }));
    await waiting(10);
    aborted.abort();
    await Promise.allSettled(polls);
    await waiting(0);
  });
});

describe('a long poll', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_JWT_CLOCK_TOLERANCE: '0s',
      SLUICE_PUBLIC_CHANNELS: 'news',
    });
  });
  afterAll(() => broker.kill());

  test('waits no longer than its token is valid', async () => {
    const token = signToken({ exp: inSeconds(2), sluice: { subscribe: ['private'] } }, SECRET);
    const poll = (): Promise<Answer> => get(`${broker.url}/channels/private/events?wait=30s&token=${token}`);
    expect(await poll()).toMatchObject({ status: 200, page: { events: [] } });
    expect((await poll()).status).toBe(401);
  });

  test('is answered in order with the requests beside it, and keeps its connection when there is something to answer', async () => {
    await broker.publish('news', 'one');
    const connection = await openRaw(broker.port);
    connection.send(Buffer.concat([request('last=1&wait=30s'), request('last=1'), request('wait=100ms')]));
    for (const events of [1, 1, 0])
      expect((JSON.parse((await connection.answer()).body) as JsonPage).events.length).toBe(events);
    connection.close();
  });

  test('a request behind a poll that waits is dropped, and leaves nothing behind', async () => {
    const connection = await openRaw(broker.port);
    connection.send(Buffer.concat([request('wait=60s'), request('wait=60s'), request('wait=60s')]));
    await expect.poll(() => openPolls(broker.url), { interval: 20 }).toBe(1);
    connection.close();
    await expect.poll(() => openPolls(broker.url), { interval: 20 }).toBe(0);
    const next = await openRaw(broker.port);
    next.send(Buffer.concat([request('wait=100ms'), request('wait=100ms')]));
    expect((await next.answer()).header('connection')).toBe('close');
    await next.ended;
    expect(next.text).toBe('');
  });

  test('a thousand that end at once leave nothing behind', async () => {
    const polls = Array.from({ length: 1_000 }, (_, i) =>
      get(`${broker.url}/channels/news/events?wait=30s&limit=${1 + (i % 3)}`),
    );
    await expect.poll(() => openPolls(broker.url)).toBe(1_000);
    const id = await broker.publish('news', 'one');
    const answers = await Promise.all(polls);
    expect(new Set(answers.map(({ page }) => page.next))).toEqual(new Set([id]));
    expect(await openPolls(broker.url)).toBe(0);
  });
});

test('limits refuse a poll with 429 and 503, and a drain answers those that wait', async () => {
  const broker = await startBroker({
    SLUICE_MAX_CONNECTIONS: '3',
    SLUICE_MAX_CONNECTIONS_PER_IP: '2',
    SLUICE_DRAIN_WINDOW: '100ms',
  });
  const poll = (address: string): Promise<Answer> =>
    get(`http://${address}:${broker.port}/channels/news/events?after=0-0&wait=30s`);
  const two = [poll('127.0.0.1'), poll('127.0.0.1')];
  await expect.poll(() => openPolls(broker.url)).toBe(2);
  const refused = await poll('127.0.0.1');
  expect([refused.status, Number(refused.retryAfter) >= 5]).toEqual([429, true]);
  const exit = broker.stop();
  for (const { status, page } of await Promise.all(two)) expect([status, page.events]).toEqual([200, []]);
  expect((await exit).code).toBe(0);
});

test('while the log is away a poll waits, and is a 503 when nothing could be read', async () => {
  const redis = await startRedis();
  const broker = await startBroker({ REDIS_URL: redis.url });
  try {
    await broker.logged('redis: up');
    const id = await broker.publish('news', 'one');
    await redis.kill();
    const [poll, page, plain] = await Promise.all([
      get(`${broker.url}/channels/news/events?after=${id}&wait=200ms`),
      get(`${broker.url}/channels/news/events?after=${id}`),
      fetch(`${broker.url}/events/news?plain&last_event_id=${id}`),
    ]);
    expect([poll.status, poll.retryAfter, page.status, plain.status]).toEqual([503, '1', 503, 503]);
  } finally {
    await broker.kill();
    await redis.stop();
  }
});
