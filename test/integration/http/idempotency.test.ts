import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import { watchChannel } from '../../support/watch-channel.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

async function publish(channel: string, data: string, ...keys: readonly string[]): Promise<RawAnswer> {
  const headers = keys.map((key) => `Idempotency-Key: ${key}`);
  return await publishRaw(broker, { path: `/publish/${channel}`, headers, body: data });
}

describe('a repeated Idempotency-Key', () => {
  test('appends nothing, and returns the first answer', async () => {
    const stream = await openStream(`${broker.url}/events/once`);
    await stream.until('sluice:ready');
    const first = await publish('once', 'a', 'key-1');
    const second = await publish('once', 'a', 'key-1');
    const third = await publish('once', 'another body', 'key-1');
    await publish('once', 'b', 'key-2');

    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body).toBe(first.body);
    expect(readProblem(third, 422).code).toBe('idempotency-key-reused');
    expect(first.header('idempotent-replayed')).toBeUndefined();
    expect(second.header('idempotent-replayed')).toBe('true');
    expect([(await stream.next()).data, (await stream.next()).data]).toEqual(['a', 'b']);
    stream.close();
  });

  test('works across both ways to publish', async () => {
    const headers = ['Idempotency-Key: both'];
    const first = await publishRaw(broker, { headers, body: '{"channel":"both","data":"x"}' });
    const second = await publish('both', 'x', 'both');
    expect(second.body).toBe(first.body);
    expect(second.header('idempotent-replayed')).toBe('true');
  });

  test('appends once when both requests come at the same time', async () => {
    const stream = await openStream(`${broker.url}/events/race`);
    await stream.until('sluice:ready');
    const answers = await Promise.all(Array.from({ length: 20 }, () => publish('race', 'x', 'one')));
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1);
    expect(answers.filter((one) => one.header('idempotent-replayed') === undefined)).toHaveLength(1);
    const last = await broker.publish('race', 'the last');
    await stream.next();
    expect((await stream.next()).id).toBe(last);
    stream.close();
  });

  test('is not used up by a refused publish', async () => {
    const refused = await publish('spent', 'a\0b', 'spent');
    expect(refused.status).toBe(400);
    const taken = await publish('spent', 'a', 'spent');
    expect(taken.status).toBe(200);
    expect(taken.header('idempotent-replayed')).toBeUndefined();
  });
});

test.each([
  ['one character', '!'],
  ['200 characters', 'k'.repeat(200)],
  ['every visible character', Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('')],
  ['a structured-field string, quotes and all', '"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
])('a key is accepted: %s', async (_what, key) => {
  const first = await publish('keys', 'x', key);
  const second = await publish('keys', 'x', key);
  expect([first.status, second.body]).toEqual([200, first.body]);
});

test('a bad key is refused, and nothing is delivered', async () => {
  const watched = await watchChannel(broker, 'refused');
  for (const keys of [
    [''],
    ['k'.repeat(201)],
    ['a b'],
    ['a\tb'],
    ['caf\u00e9'],
    ['\u007f'],
    ['a', 'b'],
    ['a', 'a'],
  ])
    expect(readProblem(await publish('refused', 'x', ...keys), 400).code).toBe('bad-request');
  await watched.nothingCame();
});
