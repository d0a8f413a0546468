import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { watchChannel } from '../../support/watch-channel.ts';
import type { WatchedChannel } from '../../support/watch-channel.ts';

const LISTED = 'https://allowed.example';

let broker: Broker;
let watched: WatchedChannel;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_CORS_ORIGINS: LISTED });
  watched = await watchChannel(broker, 'news');
});
afterAll(() => broker.kill());

async function post(path: string, headers: readonly string[], body: string): Promise<RawAnswer> {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return await exchange(broker.port, { method: 'POST', path, headers: [...headers, length], body });
}

/** Requests that a browser sends without a preflight: from a form, an image, or a simple `fetch`. */
const unasked = [
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain; application/json',
];
const origins = ['https://evil.example', LISTED, 'null'];
const json = '{"channel":"news","data":"forged"}';

describe('a cookie does not publish, from any origin', () => {
  const rows = unasked.flatMap((type) => origins.map((origin) => ({ type, origin })));

  test.each(rows)('$type from $origin', async ({ type, origin }) => {
    for (const path of ['/publish', '/publish/news', `/publish/news?token=${broker.key}`]) {
      const headers = [
        `Origin: ${origin}`,
        `Content-Type: ${type}`,
        `Cookie: sluice_token=${broker.key}; token=${broker.key}; authorization=Bearer ${broker.key}`,
      ];
      expect(readProblem(await post(path, headers, json), 401).code).toBe('unauthorized');
    }
  });

  test('also not from the page that the broker serves', async () => {
    const headers = [
      `Origin: ${broker.url}`,
      'Sec-Fetch-Site: same-origin',
      'Content-Type: application/json',
      `Cookie: sluice_token=${broker.key}`,
    ];
    expect((await post('/publish', headers, json)).status).toBe(401);
  });
});

test('a form field with the name of a header is not a header', async () => {
  const form = `authorization=Bearer+${broker.key}&access_token=${broker.key}&channel=news&data=forged`;
  const headers = ['Content-Type: application/x-www-form-urlencoded', 'Origin: https://evil.example'];
  for (const path of ['/publish', '/publish/news'])
    expect((await post(path, headers, form)).status).toBe(401);
});

test('a page of another origin may not send the Authorization header', async () => {
  const headers = [
    'Origin: https://evil.example',
    'Access-Control-Request-Method: POST',
    'Access-Control-Request-Headers: authorization',
  ];
  const answer = await exchange(broker.port, { method: 'OPTIONS', path: '/publish/news', headers });
  expect(answer.header('access-control-allow-origin')).toBeUndefined();
  expect(answer.header('access-control-allow-headers')).toBeUndefined();
});

test('none of the refused events was delivered', () => watched.nothingCame());
