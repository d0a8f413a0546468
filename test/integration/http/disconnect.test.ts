import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { readClosing } from '../../support/closing.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

async function disconnect(body: unknown): Promise<RawAnswer> {
  return await publishRaw(broker, { path: '/disconnect', body: JSON.stringify(body) });
}

async function open(channel: string): Promise<SseStream> {
  const stream = await openStream(`${broker.url}/events/${channel}`);
  await stream.until('sluice:ready');
  return stream;
}

async function held(): Promise<number> {
  return (await readMetrics(broker.url)).get('sluice_revocations') ?? NaN;
}

describe('POST /disconnect', () => {
  test('ends the streams of a channel and no others, and says how many it ended', async () => {
    const ended = await Promise.all([open('a'), open('a'), open('a')]);
    const other = await open('b');
    const answer = await disconnect({ channel: 'a' });
    expect(answer.status).toBe(200);
    expect(answer.header('content-type')).toMatch(/^application\/json/);
    const name = /"replica":"([^"]+)"/.exec(await broker.logged('"sluice is listening"'))?.[1];
    expect(JSON.parse(answer.body)).toEqual({
      disconnected: 3,
      replicas: [{ replica: name, disconnected: 3 }],
      complete: true,
    });
    await Promise.all(ended.map((stream) => stream.ended));
    const id = await broker.publish('b', 'still here');
    expect(await other.next()).toMatchObject({ id });
    other.close();
  });

  test('ends each stream after a whole event with its own reconnection time, and serves it again', async () => {
    const streams = await Promise.all(Array.from({ length: 10 }, () => open('c')));
    const id = await broker.publish('c', 'the last');
    await disconnect({ channel: 'c' });
    await Promise.all(streams.map((stream) => stream.ended));
    const retries = streams.map((stream) => {
      expect(stream.events.at(-2)).toMatchObject({ id, data: 'the last' });
      expect(readClosing(stream.text)).toMatchObject({ reason: 'disconnected', id });
      return stream.retries.at(-1) ?? 0;
    });
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(3_000);
    expect(new Set(retries).size).toBeGreaterThan(1);
    const again = await openStream(`${broker.url}/events/c`, { headers: { 'last-event-id': id } });
    expect(await again.next()).toMatchObject({ event: 'sluice:ready', id });
    again.close();
  });

  test('counts the streams under their own reason', async () => {
    const before = await readMetrics(broker.url);
    const stream = await open('counted');
    await disconnect({ channel: 'counted' });
    await stream.ended;
    const after = await readMetrics(broker.url);
    const series = 'sluice_connections_closed_total{reason="disconnected"}';
    expect(after.get(series)).toBe((before.get(series) ?? NaN) + 1);
  });

  test('with a subject that no token has ends nothing', async () => {
    const stream = await open('d');
    for (const body of [{ sub: '7' }, { sub: '7', channel: 'd' }, { channel: 'nobody' }])
      expect(JSON.parse((await disconnect(body)).body)).toMatchObject({ disconnected: 0, complete: true });
    const id = await broker.publish('d', 'still here');
    expect(await stream.next()).toMatchObject({ id });
    stream.close();
  });

  test('with revoke keeps one revocation for each target', async () => {
    const before = await held();
    for (const body of [
      { sub: 'x', revoke: true },
      { sub: 'x', revoke: true },
      { channel: 'x', revoke: true },
      { sub: 'x', channel: 'x', revoke: true },
      { sub: 'y', revoke: false },
      { sub: 'y' },
    ])
      expect((await disconnect(body)).status).toBe(200);
    expect(await held()).toBe(before + 3);
  });

  test('with revoke still serves subscribers that need no token', async () => {
    const first = await open('e');
    await disconnect({ channel: 'e', revoke: true });
    await first.ended;
    const again = await open('e');
    again.close();
  });
});

describe('an unreadable body is refused with 400, and ends nothing', () => {
  const long = 'x'.repeat(256);
  test.each([
    ['', 'invalid-body', ['']],
    ['{', 'invalid-body', ['']],
    ['null', 'invalid-body', ['']],
    ['[]', 'invalid-body', ['']],
    ['"f"', 'invalid-body', ['']],
    ['{}', 'invalid-body', ['']],
    ['{"revoke":true}', 'invalid-body', ['']],
    ['{"channel":"f","all":true}', 'invalid-body', ['/all']],
    ['{"channel":"f","subject":"7"}', 'invalid-body', ['/subject']],
    ['{"channel":7}', 'invalid-body', ['/channel']],
    ['{"channel":["f"]}', 'invalid-body', ['/channel']],
    ['{"channel":null,"sub":"7"}', 'invalid-body', ['/channel']],
    ['{"channel":"f","sub":""}', 'invalid-body', ['/sub']],
    ['{"channel":"f","sub":7}', 'invalid-body', ['/sub']],
    [`{"channel":"f","sub":"${long}"}`, 'invalid-body', ['/sub']],
    ['{"channel":"f","sub":"\\ud800"}', 'invalid-body', ['/sub']],
    ['{"channel":"f","revoke":"true"}', 'invalid-body', ['/revoke']],
    ['{"channel":"f","revoke":1,"sub":7,"x":0}', 'invalid-body', ['/sub', '/revoke', '/x']],
    ['{"channel":"*"}', 'invalid-channel', ['/channel']],
    ['{"channel":""}', 'invalid-channel', ['/channel']],
    ['{"channel":"f/g"}', 'invalid-channel', ['/channel']],
    [Buffer.from('{"channel":"f","sub":"\xff"}', 'latin1'), 'invalid-body', ['']],
    ['['.repeat(50_000), 'invalid-body', ['']],
    [`{"channel":"f","sub":${'['.repeat(30_000)}${']'.repeat(30_000)}}`, 'invalid-body', ['']],
  ])('%.60s', async (body, code, pointers) => {
    const stream = await open('f');
    const problem = readProblem(await publishRaw(broker, { path: '/disconnect', body }), 400);
    expect(problem.code).toBe(code);
    expect(problem.pointers.toSorted()).toEqual(pointers.toSorted());
    const id = await broker.publish('f', 'still here');
    expect(await stream.next()).toMatchObject({ id });
    stream.close();
  });
});

describe('authorization', () => {
  test.each([
    ['no credentials', []],
    ['a wrong key', ['Authorization: Bearer wrong']],
    ['a cookie alone', [`Cookie: sluice_token=the-key-of-the-tests`]],
  ])('refuses %s, before the body is read', async (_who, headers) => {
    const answer = await exchange(broker.port, {
      method: 'POST',
      path: '/disconnect',
      headers: [...headers, 'Content-Length: 1000000000'],
    });
    expect(readProblem(answer, 401).code).toBe('unauthorized');
    expect(answer.header('www-authenticate')).toMatch(/^Bearer\b/);
  });

  test('refuses a body that is not JSON with 415', async () => {
    for (const contentType of ['text/plain', 'application/x-www-form-urlencoded'])
      readProblem(
        await publishRaw(broker, { path: '/disconnect', contentType, body: '{"channel":"a"}' }),
        415,
      );
  });
});
