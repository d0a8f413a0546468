import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { EventSourceReader } from '../support/resuming-reader.ts';
import { signToken } from '../support/sign-token.ts';

const SECRET = 'the-secret-of-the-tests-of-the-log-on-disk';

let folder: Awaited<ReturnType<typeof dataFolder>>;
beforeAll(async () => {
  folder = await dataFolder();
});
afterAll(() => folder.remove());

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly replayed: string | null;
}

async function send(broker: Broker, path: string, body: object, headers = {}): Promise<Answer> {
  const response = await fetch(`${broker.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, body: answer, replayed: response.headers.get('idempotent-replayed') };
}

async function read(broker: Broker, path: string, headers = {}): Promise<Record<string, unknown>> {
  return (await (await fetch(`${broker.url}${path}`, { headers })).json()) as Record<string, unknown>;
}

test('after kill -9, everything is there and the stream goes on without a gap', async () => {
  const env = {
    SLUICE_DATA_DIR: folder.path,
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: 'news,jobs,prices',
    SLUICE_RETRY: '500ms',
    PORT: String(await freePort()),
  };
  const first = await startBroker(env);
  const reader = new EventSourceReader('reader', `${first.url}/events/news`);
  await reader.ready;
  const ids = [await first.publish('news', 'one'), await first.publish('news', 'two')];
  const keyed = await send(first, '/publish', { channel: 'news', data: 'three' }, { 'idempotency-key': 'k' });
  ids.push(keyed.body['id'] as string);
  await send(first, '/publish', { channel: 'jobs', data: 'done', close: true });
  await send(first, '/publish', { channel: 'prices', key: 'a', data: '1' });
  const token = signToken({ sub: '7', iat: 1, sluice: { subscribe: ['secret'] } }, SECRET);
  expect((await send(first, '/disconnect', { sub: '7', revoke: true })).status).toBe(200);
  await reader.reached(ids[2] as string);
  await first.kill();

  const second = await startBroker(env);
  // The token is refused by the first request of all.
  const refused = await fetch(`${second.url}/events/secret`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(refused.status).toBe(401);
  const again = await send(
    second,
    '/publish',
    { channel: 'news', data: 'three' },
    { 'idempotency-key': 'k' },
  );
  expect([again.body['id'], again.replayed]).toEqual([ids[2], 'true']);
  const ended = await send(second, '/publish', { channel: 'jobs', data: 'more' });
  expect([ended.status, ended.body['type']]).toEqual([409, expect.stringContaining('channel-ended')]);
  expect(await read(second, '/channels/prices/state')).toMatchObject({ events: [{ key: 'a', data: '1' }] });
  ids.push(await second.publish('news', 'four'));
  await reader.reached(ids[3] as string);
  reader.close();
  expect(reader.connections).toBe(2);
  expect(reader.seen.filter(({ kind }) => kind === 'gap')).toEqual([]);
  expect(reader.seen.flatMap((seen) => (seen.kind === 'event' ? [seen.id] : []))).toEqual(ids);

  expect(await read(second, '/status', { authorization: `Bearer ${second.key}` })).toMatchObject({
    log: { kind: 'disk', up: true, trouble: null },
  });
  const metrics = await readMetrics(second.url);
  expect(metrics.get('sluice_log_commit_events_sum')).toBeGreaterThan(0);
  expect(metrics.get('sluice_log_sync_duration_seconds_count')).toBeGreaterThan(0);
  expect(metrics.get('sluice_log_bytes{part="file"}')).toBeGreaterThan(0);
  expect(await second.logged('"disk: up"')).toBeDefined();
  expect(await second.stop()).toEqual({ code: 0, signal: null });
});

/** Starts a broker that cannot start. Returns the only line that it writes. */
async function failing(path: string): Promise<string> {
  const error: unknown = await startBroker({ SLUICE_DATA_DIR: path }).catch((reason: unknown) => reason);
  const [, ...lines] = (error as Error).message.split('\n');
  if (lines.length !== 1) throw new Error(`not one line: ${lines.join('\n')}`);
  return lines[0] ?? '';
}

describe('a start that cannot work says why in one line', () => {
  test('for a folder that is missing', async () => {
    const path = join(folder.path, 'missing');
    expect(await failing(path)).toContain(path);
  });

  test('for a folder that another broker uses', async () => {
    const path = join(folder.path, 'used');
    await mkdir(path);
    const broker = await startBroker({ SLUICE_DATA_DIR: path });
    expect(await failing(path)).toContain(path);
    await broker.kill();
    await rm(path, { recursive: true });
  });
});
