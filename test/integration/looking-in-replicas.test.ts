import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Broker } from '../support/broker.ts';
import { openLiveStreams } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

/** In ms. The contract says half a second. On a busy machine two seconds still tell a short wait from a given-up connection. */
const SOON = 2_000;

let stage: Stage;
let a: Broker;
let b: Broker;
const streams: SseStream[] = [];
beforeEach(async () => {
  stage = await Stage.open();
  [a, b] = [stage.broker(0), stage.broker(1)];
});
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.close();
  await stage.close();
});

type Json = Readonly<Record<string, unknown>>;

interface Looked {
  readonly status: number;
  readonly took: number;
  readonly body: Json;
}

async function look(broker: Broker, path: string): Promise<Looked> {
  const began = performance.now();
  const answer = await fetch(`${broker.url}${path}`, { headers: { authorization: `Bearer ${broker.key}` } });
  const body = (await answer.json()) as Json;
  return { status: answer.status, took: performance.now() - began, body };
}

const bodyOf = async (broker: Broker, path: string): Promise<Json> => (await look(broker, path)).body;

async function open(broker: Broker, channel: string, count: number): Promise<void> {
  streams.push(...(await openLiveStreams(`${broker.url}/events/${channel}`, count)));
}

test('every replica answers for all of them, and a hanging one is missing after half a second', async () => {
  const names = [a.replica, b.replica];
  await open(a, 'news', 2);
  await open(b, 'news', 3);
  await a.publish('news', 'x');
  await b.publish('news', 'y');
  await Promise.all(streams.map((stream) => stream.when(({ events }) => events.at(-1)?.data === 'y')));

  for (const broker of [a, b]) {
    expect(await bodyOf(broker, '/channels/news')).toMatchObject({
      length: 2,
      subscribers: 5,
      complete: true,
    });
    const { subscribers, ...counted } = await bodyOf(broker, '/channels/news/subscribers');
    expect(counted).toEqual({ channel: 'news', count: 5, complete: true });
    const replicas = (subscribers as { replica: string }[]).map(({ replica }) => replica);
    expect(names.map((name) => replicas.filter((one) => one === name).length)).toEqual([2, 3]);
    expect(await bodyOf(broker, '/channels?busiest=5')).toEqual({
      seconds: 60,
      deliveries: [{ channel: 'news', count: 10 }],
      publishes: [{ channel: 'news', count: 2 }],
      subscribers: [{ channel: 'news', count: 5 }],
      complete: true,
    });
    const status = await bodyOf(broker, '/status');
    expect(status).toMatchObject({ replica: broker.replica, complete: true });
    const found = status['replicas'] as Record<
      'replica' | 'streams' | 'published' | 'delivered',
      number | string
    >[];
    expect(found.map(({ replica }) => String(replica)).toSorted()).toEqual(names.toSorted());
    expect(found).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ streams: 2, published: 1, delivered: 4 }),
        expect.objectContaining({ streams: 3, published: 1, delivered: 6 }),
      ]),
    );
  }

  process.kill(b.pid, 'SIGSTOP');
  const looked = await Promise.all([
    look(a, '/channels/news'),
    look(a, '/channels/news/subscribers'),
    look(a, '/channels?busiest=5'),
    look(a, '/status'),
    look(a, '/channels?prefix=news'),
  ]);
  process.kill(b.pid, 'SIGCONT');
  for (const { status, took } of looked) {
    expect(status).toBe(200);
    expect(took).toBeLessThan(SOON);
  }
  expect(looked.map(({ body }) => body)).toMatchObject([
    { length: 2, subscribers: 2, complete: false },
    { count: 2, complete: false },
    { subscribers: [{ channel: 'news', count: 2 }], complete: false },
    { replicas: [{ replica: names[0], streams: 2 }], complete: false },
    { channels: [{ channel: 'news', length: 2 }] },
  ]);
});

test('without Redis the status still has this replica, and everything else is a 503', async () => {
  await a.publish('news', 'x');
  await stage.redis.kill();
  await a.logged('redis: down');
  const status = await look(a, '/status');
  expect(status).toMatchObject({
    status: 200,
    body: {
      log: { kind: 'redis', up: false, trouble: expect.stringMatching(/./) as string },
      replicas: [{ replica: a.replica }],
      complete: false,
    },
  });
  for (const path of ['/channels', '/channels?busiest=1', '/channels/news', '/channels/news/subscribers']) {
    const { status: code, took, body } = await look(a, path);
    expect({ path, code, type: body['type'] }).toEqual({
      path,
      code: 503,
      type: 'urn:sluice:problem:log-unavailable',
    });
    expect(took).toBeLessThan(SOON);
  }
});
