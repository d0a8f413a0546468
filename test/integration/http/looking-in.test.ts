import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

const SECRET = 'a secret of more than thirty-two bytes';

type Json = Readonly<Record<string, unknown>>;

const tokenFor = (sluice: object, sub = 'someone'): string =>
  signToken({ sub, iat: 1_700_000_000, sluice }, SECRET);

describe.each(LOGS)('looking in, with %s', (log) => {
  let on: BrokerOnLog;
  let broker: Broker;
  const streams: SseStream[] = [];
  beforeAll(async () => {
    on = await startBrokerOn(log, {
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_PUBLIC_CHANNELS: 'public.*',
      SLUICE_CHANNELS: '[{"match":"short","history":{"size":2,"ttl":"1h"},"public":true}]',
    });
    ({ broker } = on);
  });
  afterAll(async () => {
    for (const stream of streams) stream.close();
    await on?.stop();
  });

  const get = (path: string): Promise<RawAnswer> =>
    exchange(broker.port, { path, headers: [`Authorization: Bearer ${broker.key}`] });

  const read = async (path: string): Promise<Json> => {
    const answer = await get(path);
    expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
    expect(answer.header('cache-control')).toBe('no-store');
    return JSON.parse(answer.body) as Json;
  };

  const subscribe = async (path: string, sub?: string, lastEventId = ''): Promise<SseStream> => {
    const headers = {
      ...(sub !== undefined && { authorization: `Bearer ${tokenFor({ subscribe: ['*'] }, sub)}` }),
      ...(lastEventId !== '' && { 'last-event-id': lastEventId }),
    };
    const stream = await openStream(`${broker.url}${path}`, { headers });
    streams.push(stream);
    await stream.until('sluice:ready');
    return stream;
  };

  /** All pages. */
  const list = async (prefix: string, limit: number): Promise<Json[]> => {
    const all: Json[] = [];
    let after = '';
    do {
      const page = (await read(`/channels?prefix=${prefix}&limit=${limit}&after=${after}`)) as {
        channels: Json[];
        next: string | null;
      };
      all.push(...page.channels);
      after = page.next === null ? '' : encodeURIComponent(page.next);
    } while (after !== '');
    return all;
  };

  test('a channel: what the log has, the policy, and the subscribers', async () => {
    const ids: string[] = [];
    for (const data of ['a', 'b', 'c']) ids.push(await broker.publish('short', data));
    await subscribe('/events/short');
    const { bytes, ...rest } = await read('/channels/short');
    expect(rest).toEqual({
      channel: 'short',
      first: ids[1],
      last: ids[2],
      length: 2,
      ended: false,
      keys: 0,
      policy: { history: { size: 2, ttl: 3_600_000 }, public: true, latest: false, keys: 1_000 },
      subscribers: 1,
      complete: true,
    });
    expect(bytes).toBeGreaterThan(100);
  });

  test('a channel that nobody has used has nothing', async () => {
    expect(await read('/channels/nobody')).toMatchObject({
      first: null,
      last: '0-0',
      length: 0,
      bytes: 0,
      ended: false,
      policy: { public: false },
      subscribers: 0,
      complete: true,
    });
  });

  test('the list has every channel with a prefix, in pages', async () => {
    const names = Array.from({ length: 25 }, (_, i) => `list.${i}`);
    const ids = new Map<string, string>();
    for (const name of names) ids.set(name, await broker.publish(name, 'x'));
    for (const limit of [1, 7, 1_000]) {
      const found = await list('list.', limit);
      expect(found.map(({ channel }) => channel as string).toSorted()).toEqual(names.toSorted());
      for (const { channel, ...rest } of found) {
        const id = ids.get(channel as string);
        expect(rest).toEqual({ first: id, last: id, length: 1, ended: false });
      }
    }
    expect(await list('list.2', 100)).toHaveLength(6);
    expect(await list('lost.', 100)).toEqual([]);
    expect((await list('', 1_000)).length).toBeGreaterThanOrEqual(25);
  });

  test('who listens, since when, and how far', async () => {
    const before = Date.now();
    const first = await broker.publish('who', 'a');
    const last = await broker.publish('who', 'b');
    const slow = await subscribe('/events?channel=who&channel=public.a', '7', `who@${last}`);
    await subscribe('/events/who', '8', first);
    await subscribe('/events/other', '7');
    expect(slow.status).toBe(200);
    const all = (await read('/channels/who/subscribers')) as { subscribers: Json[] };
    expect(all).toMatchObject({ channel: 'who', count: 2, complete: true });
    expect(all.subscribers).toEqual(
      ['7', '8'].map((sub) => ({
        sub,
        replica: expect.any(String) as string,
        since: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        position: last,
        behind: 0,
      })),
    );
    const since = Date.parse(String(all.subscribers[0]?.['since']));
    // A stream opens at the last sweep over all streams, by its own clock: up to a second ago.
    expect(since).toBeGreaterThan(before - 1_500);
    expect(since).toBeLessThanOrEqual(Date.now() + 100);
    expect(await read('/channels/who/subscribers?sub=8')).toMatchObject({
      count: 1,
      subscribers: [{ sub: '8' }],
    });
    expect(await read('/channels/who/subscribers?limit=1')).toMatchObject({
      count: 2,
      subscribers: [{ sub: '7' }],
    });
    expect(await read('/channels/who/subscribers?sub=9')).toMatchObject({ count: 0, subscribers: [] });
    expect(await read('/channels/public.a/subscribers')).toMatchObject({
      count: 1,
      subscribers: [{ sub: '7', position: '0-0', behind: 0 }],
    });
  });

  const firstSubscriber = async (channel: string): Promise<Json | undefined> =>
    ((await read(`/channels/${channel}/subscribers`)) as { subscribers: Json[] }).subscribers[0];

  test('a reader that takes nothing is behind', async () => {
    const stream = await subscribe('/events/lag', '7');
    stream.pause();
    const data = 'x'.repeat(900_000);
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(await broker.publish('lag', data));
    await expect.poll(async () => Number((await firstSubscriber('lag'))?.['behind'])).toBeGreaterThan(0);
    const { position, behind } = (await firstSubscriber('lag')) ?? {};
    expect(behind).toBe(11 - ids.indexOf(String(position)));
    stream.resume();
    await expect.poll(async () => (await firstSubscriber('lag'))?.['behind']).toBe(0);
  });

  test('more subscribers than fit in one answer of a replica', async () => {
    const sub = 'é'.repeat(255);
    await Promise.all(Array.from({ length: 160 }, () => subscribe('/events/crowd', sub)));
    const { count, subscribers } = (await read('/channels/crowd/subscribers?limit=150')) as {
      count: number;
      subscribers: Json[];
    };
    expect([count, subscribers.length]).toEqual([160, 150]);
    expect(await read(`/channels/crowd/subscribers?sub=${encodeURIComponent(sub)}`)).toMatchObject({
      count: 160,
    });
  });

  test('the busiest channels of the last minute', async () => {
    await Promise.all(Array.from({ length: 3 }, () => subscribe('/events/public.busy')));
    await subscribe('/events/public.less');
    for (let i = 0; i < 40; i++) await broker.publish('public.busy', `${i}`);
    for (let i = 0; i < 30; i++) await broker.publish('public.less', `${i}`);
    await Promise.all(
      streams
        .slice(-4)
        .map((stream) =>
          stream.when(({ events }) => events.at(-1)?.data === (events.length > 31 ? '39' : '29')),
        ),
    );
    const { seconds, deliveries, publishes, subscribers, complete } = await read('/channels?busiest=2');
    expect({ seconds, deliveries, publishes, complete }).toEqual({
      seconds: 60,
      deliveries: [
        { channel: 'public.busy', count: 120 },
        { channel: 'public.less', count: 30 },
      ],
      publishes: [
        { channel: 'public.busy', count: 40 },
        { channel: 'public.less', count: 30 },
      ],
      complete: true,
    });
    expect(subscribers).toHaveLength(2);
    expect((subscribers as Json[])[0]).toEqual({ channel: 'crowd', count: 160 });
  });

  test('the status: version, log, replicas, and settings without secrets', async () => {
    const status = await read('/status');
    const own = { replica: status['replica'], version: '0.1.0' };
    expect(status).toMatchObject({
      ...own,
      log: { kind: log === 'Redis' ? 'redis' : 'embedded', up: true, trouble: null },
      replicas: [own],
      settings: {
        SLUICE_JWT_SECRET: 'set',
        SLUICE_PUBLISH_KEYS: 'set',
        SLUICE_PUBLIC_CHANNELS: 'public.*',
        SLUICE_HISTORY_SIZE: '1000',
        LOG_LEVEL: 'info',
      },
      complete: true,
    });
    const text = JSON.stringify(status);
    for (const secret of [SECRET, broker.key]) expect(text).not.toContain(secret);
    expect(text).not.toContain('redis://');
  });
});
