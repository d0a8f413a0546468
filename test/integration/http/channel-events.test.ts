import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import type { JsonPage } from '../../support/changing-reader.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';
import { sendJson } from '../../support/send-json.ts';

const SECRET = 'a secret of at least thirty-two bytes';
const HISTORY = 600;
const ORIGIN = 'https://app.example.com';

const numbers = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i));
const token = (subscribe: string[]): string =>
  signToken({ exp: inSeconds(60), sluice: { subscribe } }, SECRET);

describe.each(LOGS)('a page of a channel on %s', (log) => {
  let on: BrokerOnLog;
  beforeAll(async () => {
    on = await startBrokerOn(log, {
      SLUICE_HISTORY_SIZE: String(HISTORY),
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_PUBLIC_CHANNELS: 'public.*',
      SLUICE_CORS_ORIGINS: ORIGIN,
      SLUICE_HEADERS: '{"x-served-by": "tests"}',
    });
  });
  afterAll(() => on.stop());

  let count = 0;
  const fresh = (): string => `public.${++count}`;
  const ask = (
    channel: string,
    query = '',
    headers: readonly string[] = [],
    method = 'GET',
  ): Promise<RawAnswer> =>
    exchange(on.broker.port, { method, path: `/channels/${channel}/events?${query}`, headers });
  const page = async (channel: string, query = ''): Promise<JsonPage> => {
    const answer = await ask(channel, query);
    expect(answer.status).toBe(200);
    const read = JSON.parse(answer.body) as JsonPage;
    expect(answer.header('sluice-position')).toBe(read.next);
    return read;
  };
  const send = (method: string, path: string, body?: unknown): Promise<unknown> =>
    sendJson(on.broker, method, path, body);
  /** Publishes in one body. Returns the ids. */
  const publish = async (channel: string, ...texts: string[]): Promise<string[]> => {
    const answer = await send(
      'POST',
      '/publish',
      texts.map((data) => ({ channel, data })),
    );
    return (answer as { events: { id: string }[] }).events.map(({ id }) => id);
  };

  test('has every event as it was published', async () => {
    const channel = fresh();
    const published = [
      { channel, event: 'created', data: 'a\r\nb\rc\n' },
      { channel, data: 'quotes " and \\ and \u2028, \u{1f600}, \u0001' },
      { channel, event: 'größe', data: '' },
      { channel, data: { total: 12 } },
    ];
    await send('POST', '/publish', published);
    const { events, complete, ended } = await page(channel, 'after=earliest');
    expect({ complete, ended }).toEqual({ complete: true, ended: false });
    expect(events.map(({ id: _id, ...rest }) => rest)).toEqual([
      { event: 'created', data: 'a\r\nb\rc\n' },
      { data: 'quotes " and \\ and \u2028, \u{1f600}, \u0001' },
      { event: 'größe', data: '' },
      { data: '{"total":12}' },
    ]);
  });

  test('goes on from `next`, in pages of any size, and so does a stream', async () => {
    const channel = fresh();
    const ids = await publish(channel, ...numbers(HISTORY));
    for (const limit of [1_000, 255, 256, 300]) {
      const read: string[] = [];
      let next = 'earliest';
      for (;;) {
        const part = await page(channel, `after=${next}&limit=${limit}`);
        expect(part.complete).toBe(true);
        if (part.events.length === 0) break;
        read.push(...part.events.map(({ id }) => id));
        ({ next } = part);
      }
      expect(read).toEqual(ids);
    }
    const { next } = await page(channel, `after=earliest&limit=${HISTORY - 1}`);
    const stream = await openStream(`${on.broker.url}/events/${channel}?last_event_id=${next}`);
    expect((await stream.next()).id).toBe(ids.at(-1));
    stream.close();
  });

  test('begins where a stream would', async () => {
    const channel = fresh();
    expect(await page(channel)).toEqual({ channel, events: [], next: '0-0', complete: true, ended: false });
    const ids = await publish(channel, 'one', 'two', 'three');
    const data = async (query: string): Promise<unknown> => {
      const { events, next, complete } = await page(channel, query);
      return [events.map((event) => event.data), next, complete];
    };
    expect(await data('')).toEqual([[], ids[2], true]);
    expect(await data('last=2')).toEqual([['two', 'three'], ids[2], true]);
    expect(await data('last=2&limit=1')).toEqual([['two'], ids[1], true]);
    expect(await data('since=0')).toEqual([['one', 'two', 'three'], ids[2], true]);
    expect(await data(`since=${Date.now() + 60_000}`)).toEqual([[], ids[2], true]);
    expect(await data(`last_event_id=${ids[1]}`)).toEqual([['three'], ids[2], true]);
    expect(await data(`after=${channel}@${ids[1]}`)).toEqual([['three'], ids[2], true]);
    expect(await data(`last_event_id=${ids[0]}&after=${ids[1]}&last=3`)).toEqual([['three'], ids[2], true]);
    const header = await ask(channel, '', [`Last-Event-ID: ${ids[1]}`]);
    expect((JSON.parse(header.body) as JsonPage).events[0]?.data).toBe('three');
  });

  test('is incomplete where a stream would have a gap, and never refuses a cursor', async () => {
    const channel = fresh();
    const ids = await publish(channel, ...numbers(HISTORY + 10));
    const first = ids[10];
    for (const after of [ids[0], 'earliest']) {
      const read = await page(channel, `after=${after}&limit=1`);
      expect([read.events[0]?.id, read.complete]).toEqual([first, false]);
    }
    for (const after of ['garbage', '99999999999999-0', 'a@b', '%00', 'x&after=y']) {
      const read = await page(channel, `after=${after}`);
      expect([after, read]).toEqual([
        after,
        { channel, events: [], next: ids.at(-1), complete: false, ended: false },
      ]);
    }
  });

  test('has the deletion of the events as an event, and the end of the channel', async () => {
    const channel = fresh();
    const [id] = await publish(channel, 'one');
    await send('DELETE', `/channels/${channel}`);
    const cleared = await page(channel, `after=${id}`);
    expect(cleared.events).toEqual([
      { id: cleared.next, event: 'sluice:cleared', data: `{"channel":"${channel}"}` },
    ]);
    await send('POST', '/publish', { channel, data: 'last', close: true });
    const most = await page(channel, `after=${id}&limit=1`);
    expect([most.ended, most.events.length]).toEqual([false, 1]);
    const rest = await page(channel, `after=${most.next}&limit=1`);
    expect([rest.ended, rest.events[0]?.data]).toEqual([true, 'last']);
    expect((await page(channel, `after=${rest.next}`)).ended).toBe(true);
  });

  test('ends early at 1 MiB of JSON, and has at least one event', async () => {
    const channel = fresh();
    const large = 'x'.repeat(300_000);
    await publish(channel, large, large);
    await publish(channel, large, large);
    // Each of these characters is six in JSON.
    await publish(channel, '\u0001'.repeat(150_000));
    const sizes: number[] = [];
    for (let next = 'earliest', left = 5; left > 0;) {
      const part = await page(channel, `after=${next}`);
      sizes.push(part.events.length);
      left -= part.events.length;
      ({ next } = part);
    }
    expect(sizes).toEqual([3, 1, 1]);
  });

  test('is cached for a minute when it is full and of the past, and answers If-None-Match', async () => {
    const channel = fresh();
    const ids = await publish(channel, ...numbers(5));
    const cached = await ask(channel, `after=${ids[0]}&limit=2`, [`Origin: ${ORIGIN}`]);
    const tag = cached.header('etag') ?? '';
    expect(cached.header('cache-control')).toBe('public, max-age=60');
    expect(cached.header('vary')).toBe('Origin, Last-Event-ID');
    expect(cached.header('access-control-expose-headers')).toContain('Sluice-Position');
    expect(cached.header('x-served-by')).toBe('tests');
    for (const value of [tag, `"x", W/${tag}`, '*']) {
      const same = await ask(channel, `after=${ids[0]}&limit=2`, [`If-None-Match: ${value}`]);
      expect([same.status, same.body, same.header('etag')]).toEqual([304, '', tag]);
    }
    const other = await ask(channel, `after=${ids[0]}&limit=3`, [`If-None-Match: ${tag}`]);
    expect(other.status).toBe(200);

    const own = await ask(channel, `after=${ids[0]}&limit=2`, [`Authorization: Bearer ${token(['*'])}`]);
    expect(own.header('cache-control')).toBe('private, max-age=60');
    expect(own.header('vary')).toContain('Authorization, Cookie');

    for (const query of [
      `after=${ids[0]}&limit=4`,
      `after=${ids[4]}`,
      'after=earliest&limit=1',
      'last=2&limit=1',
      'after=1-0&limit=1',
      '',
    ]) {
      const answer = await ask(channel, query);
      expect([query, answer.header('cache-control'), answer.header('etag')]).toEqual([
        query,
        'no-store',
        undefined,
      ]);
    }
  });

  test('HEAD has the same headers, and never waits', async () => {
    const channel = fresh();
    await publish(channel, 'one');
    const [get, head] = await Promise.all([
      ask(channel, 'last=1'),
      ask(channel, 'last=1&wait=60s', [], 'HEAD'),
    ]);
    expect(head?.status).toBe(200);
    for (const name of ['content-length', 'content-type', 'sluice-position', 'cache-control'])
      expect(head?.header(name)).toBe(get?.header(name));
  });

  test('needs the credentials of a subscriber', async () => {
    expect(readProblem(await ask('secret'), 401).code).toBe('unauthorized');
    const other = await ask('secret', '', [`Authorization: Bearer ${token(['other'])}`]);
    expect(readProblem(other, 403).code).toBe('forbidden');
    expect((await ask('secret', '', [`Authorization: Bearer ${token(['secret'])}`])).status).toBe(200);
    expect((await ask('secret', `token=${token(['secret'])}`)).status).toBe(200);
    expect((await ask('secret', '', [`Cookie: sluice_token=${token(['secret'])}`])).status).toBe(200);
  });

  test.each([
    'limit=0',
    'limit=-1',
    'limit=10001',
    'limit=',
    'limit=1e2',
    'limit=1&limit=2',
    'wait=1h',
    'wait=61s',
    'wait=20',
    'wait=-1s',
    'wait=',
    'last=x',
    'since=yesterday',
    'last=1&since=0',
  ])('%s is a 400 that says what is allowed', async (query) => {
    const { code, detail } = readProblem(await ask('public.bad', query), 400);
    expect(code).toBe('invalid-query');
    expect(detail).toMatch(/such as|not both/);
  });
});
