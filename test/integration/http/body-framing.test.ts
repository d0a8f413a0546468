import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw, publishRequest } from '../../support/publish-raw.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import { watchChannel } from '../../support/watch-channel.ts';
import type { WatchedChannel } from '../../support/watch-channel.ts';

const LIMIT = 1_000;

let broker: Broker;
let watched: WatchedChannel;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_MAX_BODY_BYTES: String(LIMIT) });
  watched = await watchChannel(broker, 'framing');
});
afterAll(() => broker.kill());

const path = '/publish/framing';

/** POSTs with the key and these headers only. */
async function post(headers: readonly string[], body: string): Promise<RawAnswer> {
  const authorization = `Authorization: Bearer ${broker.key}`;
  return await exchange(broker.port, { method: 'POST', path, headers: [authorization, ...headers], body });
}

describe('a body over SLUICE_MAX_BODY_BYTES is 413', () => {
  test('by its Content-Length, before it is sent', async () => {
    const answer = await post([`Content-Length: ${LIMIT + 1}`], '');
    expect(readProblem(answer, 413).code).toBe('body-too-large');
    expect(answer.header('connection')).toBe('close');
  });

  test('by its length in chunks', async () => {
    const chunk = `100\r\n${'x'.repeat(0x100)}\r\n`;
    const answer = await post(['Transfer-Encoding: chunked'], `${chunk.repeat(4)}0\r\n\r\n`);
    expect(readProblem(answer, 413).code).toBe('body-too-large');
  });

  test('as JSON', async () => {
    const body = JSON.stringify({ channel: 'framing', data: 'x'.repeat(LIMIT) });
    expect(readProblem(await publishRaw(broker, { body }), 413).code).toBe('body-too-large');
  });
});

describe('another content type than application/json is 415', () => {
  const body = JSON.stringify({ channel: 'framing', data: 'x' });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/problem+json',
    'text/json',
    'multipart/form-data; boundary=x',
    'json',
    '',
  ])('%o', async (contentType) => {
    const problem = readProblem(await publishRaw(broker, { contentType, body }), 415);
    expect(problem.code).toBe('unsupported-media-type');
  });

  test('no content type', async () => {
    const headers = [`Authorization: Bearer ${broker.key}`, `Content-Length: ${body.length}`];
    const answer = await exchange(broker.port, { method: 'POST', path: '/publish', headers, body });
    expect(readProblem(answer, 415).code).toBe('unsupported-media-type');
  });
});

describe('a compressed body is 415', () => {
  test.each(['gzip', 'br', 'deflate', 'zstd', 'identity, gzip'])('%s', async (encoding) => {
    const headers = [`Content-Encoding: ${encoding}`];
    const answer = await publishRaw(broker, { path, headers, body: 'x' });
    expect(readProblem(answer, 415).code).toBe('unsupported-media-type');
  });
});

describe('a body of doubtful length is refused with 400', () => {
  const chunks = '1\r\nx\r\n0\r\n\r\n';

  test.each([
    ['two different Content-Lengths', ['Content-Length: 1', 'Content-Length: 2'], 'x'],
    ['the same Content-Length twice', ['Content-Length: 1', 'Content-Length: 1'], 'x'],
    ['a list of Content-Lengths', ['Content-Length: 1, 1'], 'x'],
    ['a Content-Length and chunks', ['Content-Length: 1', 'Transfer-Encoding: chunked'], chunks],
    ['chunks and a Content-Length', ['Transfer-Encoding: chunked', 'Content-Length: 12'], chunks],
    ['a Content-Length in words', ['Content-Length: one'], 'x'],
    ['a Content-Length below zero', ['Content-Length: -1'], 'x'],
    ['a Content-Length with a plus', ['Content-Length: +1'], 'x'],
    ['a Content-Length beyond all numbers', ['Content-Length: 99999999999999999999999'], 'x'],
    ['a chunk size that is no number', ['Transfer-Encoding: chunked'], 'z\r\nx\r\n0\r\n\r\n'],
    ['a chunk longer than it says', ['Transfer-Encoding: chunked'], '1\r\nxyz\r\n0\r\n\r\n'],
    ['another transfer coding at the end', ['Transfer-Encoding: chunked, gzip'], chunks],
  ])('%s', async (_why, headers, body) => {
    expect(readProblem(await post(headers, body), 400).code).toBe('bad-request');
  });

  test.each([
    ['less than its Content-Length', 'Content-Length: 10', 'x'],
    ['chunks without the last', 'Transfer-Encoding: chunked', '1\r\nx\r\n'],
  ])('%s, and the connection ends', async (_why, header, body) => {
    const headers = [`Authorization: Bearer ${broker.key}`, header];
    const connection = await openRaw(broker.port);
    connection.send(requestBytes({ method: 'POST', path, headers, body }));
    connection.finish();
    expect(readProblem(await connection.answer(), 400).code).toBe('bad-request');
    await connection.ended;
  });
});

test('none of the refused bodies was delivered', () => watched.nothingCame());

test('bytes after a body are another request, and the publish keeps its own answer', async () => {
  const stream = await openStream(`${broker.url}/events/framed`);
  await stream.until('sluice:ready');
  const request = publishRequest(broker, { path: '/publish/framed', body: 'whole' });
  const connection = await openRaw(broker.port);
  connection.send(Buffer.concat([requestBytes(request), Buffer.from(' and too much\r\n\r\n')]));
  const answer = await connection.answer();
  expect(answer.status).toBe(200);
  expect(await stream.next()).toMatchObject({ data: 'whole' });
  expect(readProblem(await connection.answer(), 400).code).toBe('bad-request');
  await connection.ended;
  stream.close();
});

describe('a body is accepted', () => {
  test.each(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset="UTF-8"'])(
    'as %s',
    async (contentType) => {
      const body = JSON.stringify({ channel: 'taken', data: 'x' });
      expect((await publishRaw(broker, { contentType, body })).status).toBe(200);
    },
  );

  test('with exactly SLUICE_MAX_BODY_BYTES, in chunks', async () => {
    const stream = await openStream(`${broker.url}/events/framing`);
    await stream.until('sluice:ready');
    const half = `1f4\r\n${'x'.repeat(500)}\r\n`;
    expect((await post(['Transfer-Encoding: chunked'], `${half}${half}0\r\n\r\n`)).status).toBe(200);
    expect((await stream.next()).data).toBe('x'.repeat(LIMIT));
    stream.close();
  });

  test.each(['identity', 'Identity'])(
    'with Content-Encoding: %s, which changes nothing',
    async (encoding) => {
      const headers = [`Content-Encoding: ${encoding}`];
      expect((await publishRaw(broker, { path: '/publish/taken', headers, body: 'x' })).status).toBe(200);
    },
  );
});
