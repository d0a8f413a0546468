import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

const SCRIPT = join(import.meta.dirname, '../../examples/move-channels.mjs');
const SETTINGS = {
  SLUICE_JWT_SECRET: 'm0'.repeat(16),
  SLUICE_HISTORY_SIZE: '5000',
  SLUICE_CHANNELS: JSON.stringify([
    { match: 'short.*', history: { size: 5 } },
    { match: 'status.*', latest: true },
    { match: '*', public: false },
  ]),
};

let folders: readonly Awaited<ReturnType<typeof dataFolder>>[];
let redis: RedisServer;
let first: Broker;
let second: Broker;
let third: Broker;

beforeAll(async () => {
  folders = await Promise.all([dataFolder(), dataFolder(), dataFolder()]);
  redis = await startRedis();
  [first, second, third] = await Promise.all([
    startBroker({ ...SETTINGS, SLUICE_DATA_DIR: pathOf(0) }),
    startBroker({ ...SETTINGS, REDIS_URL: redis.url }),
    startBroker({ ...SETTINGS, SLUICE_DATA_DIR: pathOf(1) }),
  ]);
});
afterAll(async () => {
  await Promise.all([first, second, third].map((broker) => broker.kill()));
  await Promise.all([redis.stop(), ...folders.map((folder) => folder.remove())]);
});

function pathOf(folder: number, file = ''): string {
  return join(folders[folder]?.path ?? '', file);
}

/** Texts that a careless copy would change. */
const TEXTS = [
  '',
  'two lines\nand\n\nmore\n',
  'windows\r\nand mac\rlines',
  `controls ${Array.from({ length: 31 }, (_, code) => String.fromCodePoint(code + 1)).join('')}\u007F`,
  '\uFEFFa mark, "quotes", \\backslashes\\ and 🦀 \u2028 \u{10FFFF}',
  '{"number":12345678901234567890,"big":1e400}',
];
/** Each of its characters takes two bytes in JSON, so that it is larger than a body may be. */
const LARGE = '"'.repeat(1_000_000);

async function request(broker: Broker, path: string, method = 'GET', body?: unknown): Promise<Response> {
  const headers = { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return await fetch(`${broker.url}${path}`, { method, headers, ...(body !== undefined && { body: text }) });
}

async function publish(broker: Broker, ...publications: readonly object[]): Promise<void> {
  const response = await request(broker, '/publish', 'POST', publications);
  expect(response.status, await response.text()).toBe(200);
}

async function fill(broker: Broker): Promise<void> {
  const long = Array.from({ length: 1_300 }, (_, n) => ({
    channel: 'long',
    ...(n % 3 === 0 && { event: `type ${n % 7}` }),
    ...(n % 5 === 0 && { key: `key-${n % 11}` }),
    data: { n, text: 'x'.repeat(n) },
  }));
  await publish(broker, ...long.slice(0, 700));
  await publish(broker, ...long.slice(700));
  await publish(broker, ...TEXTS.map((data) => ({ channel: 'texts', event: 'Grüße & co', data })));
  const large = await request(broker, '/publish/large?event=much&key=one', 'POST', LARGE);
  expect(large.status).toBe(200);
  for (const channel of ['prices', 'short.prices', 'status.1'])
    await publish(
      broker,
      ...Array.from({ length: 20 }, (_, n) => ({ channel, key: `k${n % 10}`, data: `${channel} ${n}` })),
      { channel, key: 'k3', delete: true },
      { channel, data: 'no key' },
    );
  await publish(broker, { channel: 'answer', data: 'one' }, { channel: 'answer', data: 'two', close: true });
  await publish(broker, { channel: 'ended', close: true });
  for (const channel of ['deleted', 'reused']) {
    await publish(broker, { channel, data: 'before' });
    expect((await request(broker, `/channels/${channel}`, 'DELETE')).status).toBe(204);
  }
  await publish(broker, { channel: 'reused', data: 'after' });
  await publish(broker, ...Array.from({ length: 50 }, (_, n) => ({ channel: `room.${n % 25}`, data: n })));
}

async function token(broker: Broker): Promise<string> {
  const response = await request(broker, '/tokens', 'POST', { subscribe: ['*'], ttl: 600 });
  return ((await response.json()) as { token: string }).token;
}

interface Entry {
  readonly id: string;
  readonly event?: string;
  readonly key?: string;
  readonly data: string;
}

/** Every channel without ids, and without what a deletion leaves behind. */
async function contents(broker: Broker): Promise<Record<string, object>> {
  const authorization = `Bearer ${await token(broker)}`;
  const names = new Set<string>();
  // Redis lists as many channels in a page as it finds in 50 ms.
  for (let after: string | null = ''; after !== null;) {
    const response = await request(broker, `/channels?limit=1000${after && `&after=${after}`}`);
    const page = (await response.json()) as { channels: { channel: string }[]; next: string | null };
    for (const { channel } of page.channels) names.add(channel);
    after = page.next;
  }
  const entries = [...names].map(async (channel) => {
    const read = async <T>(path: string): Promise<T> => {
      const answer = await fetch(`${broker.url}/channels/${channel}/${path}`, { headers: { authorization } });
      return (await answer.json()) as T;
    };
    const events: object[] = [];
    for (let after = 'earliest'; ;) {
      const page = await read<{ events: Entry[]; next: string; ended: boolean }>(
        `events?after=${after}&limit=10000`,
      );
      events.push(...withoutIds(page.events));
      after = page.next;
      if (page.events.length > 0) continue;
      const state = await read<{ events: Entry[] }>('state');
      return [channel, { events, ended: page.ended, state: withoutIds(state.events) }] as const;
    }
  });
  const found = await Promise.all(entries);
  return Object.fromEntries(found.filter(([, { events, ended }]) => events.length > 0 || ended));
}

function withoutIds(events: readonly Entry[]): object[] {
  return events
    .filter(({ event }) => event !== 'sluice:cleared')
    .map(({ event, key, data }) => ({ event, key, data }));
}

async function move(from: Broker, to: Broker, progress: string): Promise<{ code: number; problems: string }> {
  const env = {
    PATH: process.env['PATH'],
    MOVE_FROM: from.url,
    MOVE_FROM_KEY: from.key,
    MOVE_TO: to.url,
    MOVE_TO_KEY: to.key,
  };
  return await new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, pathOf(2, progress)], { env }, (error, _, stderr) =>
      resolve({ code: Number(error?.code ?? 0), problems: stderr }),
    );
  });
}

test('channels move from disk to Redis and back, with order, keys, states and ends', async () => {
  await fill(first);
  const before = await contents(first);
  expect(before).toMatchObject({ long: { events: { length: 1_300 } }, ended: { ended: true } });
  expect(await move(first, second, 'there')).toEqual({ code: 0, problems: '' });
  expect(await contents(second)).toEqual(before);

  // A second run moves what came since, and nothing twice.
  await publish(first, { channel: 'long', data: 'later' }, { channel: 'new', key: 'k', data: 'first' });
  expect((await request(first, '/channels/prices', 'DELETE')).status).toBe(204);
  await publish(first, { channel: 'prices', key: 'k1', data: 'again' }, { channel: 'room.1', close: true });
  expect(await move(first, second, 'there')).toEqual({ code: 0, problems: '' });
  const after = await contents(first);
  expect(await contents(second)).toEqual(after);

  // A run that lost its newest notes, as when it is killed, repeats nothing.
  const file = pathOf(2, 'there');
  const notes = readFileSync(file, 'utf8');
  writeFileSync(file, notes.slice(0, notes.length / 2));
  expect(await move(first, second, 'there')).toEqual({ code: 0, problems: '' });
  expect(await contents(second)).toEqual(after);

  expect(await move(second, third, 'back')).toEqual({ code: 0, problems: '' });
  expect(await contents(third)).toEqual(after);
});

test('a subscriber with an id of the old broker gets one gap', async () => {
  const id = await first.publish('subscribed', 'seen');
  expect(await move(first, second, 'there')).toEqual({ code: 0, problems: '' });
  const headers = { authorization: `Bearer ${await token(second)}` };
  const stream = await openStream(`${second.url}/events/subscribed`, {
    headers: { ...headers, 'last-event-id': id },
  });
  const ready = (await stream.until('sluice:ready')).at(-1);
  expect(stream.events.map(({ event, data }) => event ?? data)).toEqual([
    'sluice:gap',
    'seen',
    'sluice:ready',
  ]);
  stream.close();
  const again = await openStream(`${second.url}/events/subscribed`, {
    headers: { ...headers, 'last-event-id': ready?.id ?? '' },
  });
  expect((await again.next()).event).toBe('sluice:ready');
  again.close();
});

test('a channel that has other events at the target is left alone, and the others move', async () => {
  await publish(first, { channel: 'taken', data: 'mine' }, { channel: 'free', data: 'mine' });
  await publish(second, { channel: 'taken', data: 'theirs' });
  const { code, problems } = await move(first, second, 'there');
  expect(code).toBe(1);
  expect(problems).toContain(`taken has other events at ${second.url}`);
  expect(await contents(second)).toMatchObject({
    taken: { events: [{ data: 'theirs' }] },
    free: { events: [{ data: 'mine' }] },
  });
});
