import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { watchChannel } from '../../support/watch-channel.ts';

const KEYS = ['first-key', 'second-key'];

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_PUBLISH_KEYS: KEYS.join(', '),
    SLUICE_PUBLIC_CHANNELS: 'news,public.*',
  });
});
afterAll(() => broker.kill());

async function post(path: string, headers: readonly string[], body = 'x'): Promise<RawAnswer> {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return await exchange(broker.port, { method: 'POST', path, headers: [...headers, length], body });
}

describe('publishing is refused with 401, and delivers nothing', () => {
  test.each([
    ['without credentials', []],
    ['with empty ones', ['Authorization: ']],
    ['with the scheme alone', ['Authorization: Bearer']],
    ['with the scheme and a blank', ['Authorization: Bearer ']],
    ['with another key', ['Authorization: Bearer third-key']],
    ['with the beginning of a key', ['Authorization: Bearer first-ke']],
    ['with a key and more', ['Authorization: Bearer first-key1']],
    ['with a key in another case', ['Authorization: Bearer First-Key']],
    ['with all keys as they are configured', ['Authorization: Bearer first-key,second-key']],
    ['with two keys', ['Authorization: Bearer first-key second-key']],
    ['with a key under another scheme', ['Authorization: Basic first-key']],
    ['with a key and no scheme', ['Authorization: first-key']],
    ['with a key of 10,000 characters', [`Authorization: Bearer ${'k'.repeat(10_000)}`]],
    ['with a key that is not ASCII', ['Authorization: Bearer caf\u00e9']],
    ['with a key in a cookie', ['Cookie: sluice_token=first-key']],
  ])('%s', async (_how, headers) => {
    const watched = await watchChannel(broker, 'news');
    for (const path of ['/publish/news', '/publish', '/publish/news?token=first-key', '/publish/a%20b']) {
      const answer = await post(path, headers, '{"channel":"news","data":"x"}');
      expect(readProblem(answer, 401).code).toBe('unauthorized');
      expect(answer.header('www-authenticate')).toMatch(/^Bearer\b/);
      expect(answer.body).not.toContain('first-key');
    }
    await watched.nothingCame();
  });

  test('before the body is read', async () => {
    const headers = ['Content-Length: 1000000000'];
    const answer = await exchange(broker.port, { method: 'POST', path: '/publish/news', headers });
    expect(answer.status).toBe(401);
  });
});

describe('publishing is allowed', () => {
  test.each([
    ['with the first key', 'Bearer first-key'],
    ['with the second key', 'Bearer second-key'],
    ['with the scheme in another case', 'bEARER first-key'],
    ['with more blanks', 'Bearer   first-key  '],
  ])('%s', async (_how, credentials) => {
    const answer = await post('/publish/news', [`Authorization: ${credentials}`]);
    expect(answer.status).toBe(200);
  });

  test('on a channel that is not public', async () => {
    expect((await post('/publish/private', [`Authorization: Bearer ${KEYS[0]}`])).status).toBe(200);
  });
});

describe('subscribing', () => {
  test.each(['private', 'newsroom', 'new', 'public', 'NEWS', 'not.public.a'])(
    'to %s is 401',
    async (channel) => {
      for (const method of ['GET', 'HEAD']) {
        const answer = await exchange(broker.port, { method, path: `/events/${channel}` });
        expect(answer.status).toBe(401);
        expect(answer.header('content-type')).toBe('application/problem+json');
        expect(answer.header('www-authenticate')).toMatch(/^Bearer\b/);
      }
    },
  );

  test('with a publish key is refused with 401 on a channel that is not public', async () => {
    const headers = ['Authorization: Bearer first-key'];
    const answer = await exchange(broker.port, { path: '/events/private', headers });
    expect(readProblem(answer, 401).code).toBe('unauthorized');
  });

  test.each(['news', 'public.', 'public.a', 'public.a.b'])('to %s needs no credentials', async (channel) => {
    const answer = await exchange(broker.port, { method: 'HEAD', path: `/events/${channel}` });
    expect(answer.status).toBe(200);
  });
});

test('no log line contains a key', () => {
  expect(broker.log().filter((line) => /first-key|second-key|third-key/.test(line))).toEqual([]);
});
