import { connect } from 'node:http2';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventLog } from '../../../src/log/event-log.ts';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { endChannel } from '../../support/end-channel.ts';
import { openRedisLog } from '../../support/open-redis-log.ts';
import { exchange, openRaw } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openHttp2Stream, openStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';

const SECRET = 'a secret of at least thirty-two bytes';
const ORIGIN = 'https://app.example.com';

const authority = createAuthority();
const identity = authority.issue();

let redis: RedisServer;
let log: EventLog;
/** Two replicas, and one with TLS. */
let here: Broker;
let there: Broker;
let tls: Broker;
beforeAll(async () => {
  trustAuthority(authority);
  redis = await startRedis();
  log = await openRedisLog({ url: redis.url, prefix: 'sluice:', idempotencyTtl: 60_000 });
  const env = {
    REDIS_URL: redis.url,
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: 'public.*',
    SLUICE_CORS_ORIGINS: ORIGIN,
    SLUICE_RETRY: '500ms',
  };
  const secure = { SLUICE_TLS_CERT: identity.cert, SLUICE_TLS_KEY: identity.key };
  [here, there, tls] = await Promise.all([
    startBroker(env),
    startBroker(env),
    startBroker({ ...env, ...secure }),
  ]);
});
afterAll(async () => {
  await Promise.all([here.kill(), there.kill(), tls.kill()]);
  await log.close();
  await redis.stop();
});

let count = 0;
const fresh = (): string => `public.${++count}`;

/** How many streams the second replica has opened. */
async function openedThere(): Promise<number | undefined> {
  return (await readMetrics(there.url)).get('sluice_connections_opened_total');
}

function token(grant: string): string {
  return signToken({ exp: inSeconds(60), sluice: { subscribe: [grant] } }, SECRET);
}

/** Comes back to a channel with a cursor. */
async function comeBack(broker: Broker, path: string, cursor?: string, method = 'GET'): Promise<RawAnswer> {
  const headers = cursor === undefined ? [] : [`Last-Event-ID: ${cursor}`];
  return await exchange(broker.port, { path, method, headers: [`Origin: ${ORIGIN}`, ...headers] });
}

describe('when a channel ends, a stream gets the last event, sluice:end and its last chunk', () => {
  test('over HTTP/1.1, on each replica', async () => {
    const channel = fresh();
    const streams = await Promise.all([here, there].map(({ url }) => openStream(`${url}/events/${channel}`)));
    for (const stream of streams) await stream.until('sluice:ready');
    const closed = async () =>
      (await readMetrics(here.url)).get('sluice_connections_closed_total{reason="ended"}') ?? 0;
    const before = await closed();
    const end = await endChannel(log, channel, ['last but one', 'last']);
    for (const stream of streams) {
      await stream.ended;
      expect(stream.complete).toBe(true);
      expect(stream.events.slice(1).map(({ data }) => data)).toEqual([
        'last but one',
        'last',
        `{"channel":"${channel}"}`,
      ]);
      expect(stream.events.at(-1)).toMatchObject({ id: end, event: 'sluice:end' });
    }
    expect((await closed()) - before).toBe(1);
  });

  test('over HTTP/1.0, where the body ends with the connection', async () => {
    const channel = fresh();
    const connection = await openRaw(here.port);
    connection.send(`GET /events/${channel} HTTP/1.0\r\n\r\n`);
    await connection.until('}}\n\n');
    const end = await endChannel(log, channel);
    await connection.ended;
    expect(connection.text).toMatch(
      new RegExp(`\n\nid: ${end}\nevent: sluice:end\ndata: \\{"channel":"${channel}"\\}\n\n$`),
    );
  });

  test('over HTTP/2, where the stream ends and the connection stays', async () => {
    const channel = fresh();
    const session = connect(tls.url);
    try {
      const stream = await openHttp2Stream(session, `/events/${channel}`);
      await stream.until('sluice:ready');
      const end = await endChannel(log, channel, ['last']);
      await stream.ended;
      expect(stream.complete).toBe(true);
      expect(stream.events.at(-1)).toMatchObject({ id: end, event: 'sluice:end' });
      const again = await openHttp2Stream(session, `/events/${channel}`, {
        headers: { 'last-event-id': end },
      });
      await again.ended;
      expect([again.status, again.text]).toEqual([204, '']);
    } finally {
      session.destroy();
    }
  });

  test('also a stream that is opened later, without a cursor', async () => {
    const channel = fresh();
    const end = await endChannel(log, channel, ['last']);
    const stream = await openStream(`${here.url}/events/${channel}`);
    await stream.ended;
    expect(stream.events).toMatchObject([{ id: end, event: 'sluice:end' }]);
    expect(stream.complete).toBe(true);
  });

  test('after everything that a slow reader has not read yet', async () => {
    const channel = fresh();
    const stream = await openStream(`${here.url}/events/${channel}`);
    await stream.until('sluice:ready');
    stream.pause();
    for (let i = 0; i < 20; i++) await here.publish(channel, 'x'.repeat(500_000));
    const end = await endChannel(log, channel, ['last']);
    stream.resume();
    await stream.ended;
    expect(stream.complete).toBe(true);
    expect(stream.events.slice(1).map(({ event, data }) => [event, data.length])).toEqual([
      ...Array.from({ length: 20 }, () => [undefined, 500_000]),
      [undefined, 4],
      ['sluice:end', `{"channel":"${channel}"}`.length],
    ]);
    expect(stream.events.at(-1)?.id).toBe(end);
  });
});

describe('who comes back with the position of the end gets 204', () => {
  test('at the replica that follows the channel, and at one that does not', async () => {
    const channel = fresh();
    const stream = await openStream(`${here.url}/events/${channel}`);
    await stream.until('sluice:ready');
    const end = await endChannel(log, channel, ['last']);
    await stream.ended;
    const before = await openedThere();
    for (const broker of [here, there]) {
      for (const method of ['GET', 'HEAD']) {
        const answer = await comeBack(broker, `/events/${channel}`, end, method);
        expect([answer.status, answer.body]).toEqual([204, '']);
        expect(answer.header('cache-control')).toBe('no-store');
        expect(answer.header('content-type')).toBeUndefined();
        expect(answer.header('access-control-allow-origin')).toBe(ORIGIN);
      }
      expect((await comeBack(broker, `/events/${channel}?lastEventId=${end}`)).status).toBe(204);
    }
    expect(await openedThere()).toBe(before);
  });

  test('but an earlier cursor gets the rest and the end', async () => {
    const channel = fresh();
    const first = await here.publish(channel, 'first');
    const second = await here.publish(channel, 'second');
    const end = await endChannel(log, channel);
    expect(end).toBe(second);
    for (const broker of [here, there]) {
      const stream = await openStream(`${broker.url}/events/${channel}`, {
        headers: { 'last-event-id': first },
      });
      await stream.ended;
      expect(stream.events.map(({ event, id }) => [event, id])).toEqual([
        [undefined, second],
        ['sluice:end', second],
      ]);
      expect((await comeBack(broker, `/events/${channel}`, 'what?')).status).toBe(200);
    }
  });

  test('only with a token that a stream would need', async () => {
    const channel = `private.${++count}`;
    const end = await endChannel(log, channel, ['last']);
    for (const method of ['GET', 'HEAD']) {
      const path = `/events/${channel}`;
      expect((await comeBack(here, path, end, method)).status).toBe(401);
      expect((await comeBack(here, `${path}?token=${token('other')}`, end, method)).status).toBe(403);
      expect((await comeBack(here, `${path}?token=${token(channel)}`, end, method)).status).toBe(204);
    }
  });

  test('so an EventSource stops by itself', async () => {
    const channel = fresh();
    const source = new EventSource(`${there.url}/events/${channel}`);
    const ended = new Promise<string>((resolve) => {
      source.addEventListener('sluice:end', ({ lastEventId }) => resolve(lastEventId));
    });
    const codes: (number | undefined)[] = [];
    const closed = new Promise<void>((resolve) => {
      source.addEventListener('error', ({ code }) => {
        codes.push(code);
        if (source.readyState === EventSource.CLOSED) resolve();
      });
    });
    await new Promise((resolve) => source.addEventListener('sluice:ready', resolve));
    const end = await endChannel(log, channel, ['last']);
    expect(await ended).toBe(end);
    await closed;
    expect(codes.at(-1)).toBe(204);
  });
});

describe('many channels on one connection', () => {
  test('the stream goes on until the last channel has ended, and its last id then gets 204', async () => {
    const [a, b] = [fresh(), fresh()];
    const path = `/events?channel=${a}&channel=${b}`;
    const stream = await openStream(here.url + path);
    await stream.until('sluice:ready');
    const endOfA = await endChannel(log, a, ['last of a']);
    const [, first] = await stream.until('sluice:end');
    expect(first).toMatchObject({ event: 'sluice:end', data: `{"channel":"${a}"}` });
    expect(first?.id).toMatch(new RegExp(`^${a}@${endOfA},~`));
    for (const broker of [here, there])
      expect((await comeBack(broker, path, first?.id, 'HEAD')).status).toBe(200);
    await here.publish(b, 'goes on');
    await endChannel(log, b);
    await stream.ended;
    expect(stream.complete).toBe(true);
    expect(stream.events.slice(3).map(({ event, data }) => event ?? data)).toEqual(['goes on', 'sluice:end']);
    for (const broker of [here, there]) {
      for (const method of ['GET', 'HEAD'])
        expect((await comeBack(broker, path, stream.events.at(-1)?.id, method)).status).toBe(204);
      expect(
        (await comeBack(broker, `${path}&channel=${fresh()}`, stream.events.at(-1)?.id, 'HEAD')).status,
      ).toBe(200);
    }
  });
});

describe('?only=active', () => {
  test('opens a stream of a channel that has an event and has not ended, and of no other', async () => {
    const channel = fresh();
    const path = `/events/${channel}?only=active`;
    const statuses = async (cursor?: string): Promise<number[]> => {
      const answers: number[] = [];
      for (const broker of [here, there])
        for (const method of ['GET', 'HEAD']) {
          const url = broker.url + path;
          const headers = cursor === undefined ? {} : { 'last-event-id': cursor };
          if (method === 'HEAD') answers.push((await fetch(url, { method, headers })).status);
          else {
            const stream = await openStream(url, { headers });
            answers.push(stream.status);
            stream.close();
          }
        }
      return [...new Set(answers)];
    };
    expect(await statuses()).toEqual([204]);
    // A reader that has a cursor misses nothing.
    expect(await statuses('0-0')).toEqual([200]);
    const id = await here.publish(channel, 'x');
    await expect.poll(() => statuses()).toEqual([200]);
    expect(await statuses('earliest')).toEqual([200]);
    const end = await endChannel(log, channel, ['last']);
    await expect.poll(() => statuses()).toEqual([204]);
    expect(await statuses('earliest')).toEqual([204]);
    expect(await statuses(id)).toEqual([200]);
    expect(await statuses('what?')).toEqual([200]);
    expect(await statuses(end)).toEqual([204]);
  });

  test.each([
    '/events/public.x?only=ended',
    '/events/public.x?only=',
    '/events?channel=public.x&only=active',
  ])('%s is refused', async (path) => {
    expect(readProblem(await comeBack(here, path), 400).code).toBe('invalid-query');
  });
});
