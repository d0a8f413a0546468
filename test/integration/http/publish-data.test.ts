import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

let broker: Broker;
let stream: SseStream;
beforeAll(async () => {
  broker = await startBroker();
  stream = await openStream(`${broker.url}/events/data`);
  await stream.until('sluice:ready');
});
afterAll(() => broker.kill());

const path = '/publish/data';

describe('POST /publish/:channel takes the body as the data, whatever its content type', () => {
  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'text/plain; charset=utf-8',
    'text/plain; charset',
    'application/json',
    'application/octet-stream',
    'application/x-ndjson',
    'multipart/form-data; boundary=x',
    'image/png',
    'nonsense',
    'a/b/c',
    '*/*',
    '',
  ])('%o', async (contentType) => {
    const answer = await publishRaw(broker, { path, contentType, body: '{"not": "parsed"}' });
    expect(answer.status).toBe(200);
    const event = await stream.next();
    expect(event).toEqual({ id: event.id, event: undefined, data: '{"not": "parsed"}' });
    expect(answer.body).toBe(`{"channel":"data","id":"${event.id}"}`);
  });

  test('no content type', async () => {
    const headers = [`Authorization: Bearer ${broker.key}`, 'Content-Length: 5'];
    const answer = await exchange(broker.port, { method: 'POST', path, headers, body: 'hello' });
    expect(answer.status).toBe(200);
    expect((await stream.next()).data).toBe('hello');
  });
});

describe('the data are the bytes of the body', () => {
  test.each([
    ['text', 'hello', 'data: hello\n\n'],
    ['lines', 'a\r\nb\rc\nd', 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
    ['a line break at the end', 'hello\n', 'data: hello\ndata: \n\n'],
    ['a byte order mark in front', '\ufeffhello', 'data: \ufeffhello\n\n'],
    ['characters of four bytes', '😀', 'data: 😀\n\n'],
    ['text that JSON would unescape', String.raw`\ud800\u0000`, `data: ${String.raw`\ud800\u0000`}\n\n`],
    ['JSON, with its blanks', '{ "a": 1 }', 'data: { "a": 1 }\n\n'],
    ['nothing', '', 'data: \n\n'],
  ])('%s', async (_what, body, wire) => {
    const before = stream.text.length;
    await publishRaw(broker, { path, body });
    const { id } = await stream.next();
    expect(stream.text.slice(before)).toBe(`id: ${id}\n${wire}`);
  });

  test('a missing body is empty data', async () => {
    const headers = [`Authorization: Bearer ${broker.key}`];
    const answer = await exchange(broker.port, { method: 'POST', path, headers });
    expect(answer.status).toBe(200);
    expect((await stream.next()).data).toBe('');
  });
});

test('the event type is a query parameter, form-encoded or not', async () => {
  for (const query of ['event=order+created', 'event=order%20created']) {
    await publishRaw(broker, { path: `${path}?${query}`, body: 'x' });
    expect(await stream.next()).toMatchObject({ event: 'order created', data: 'x' });
  }
});

test('an empty query is accepted', async () => {
  expect((await publishRaw(broker, { path: `${path}?`, body: 'x' })).status).toBe(200);
  expect(await stream.next()).toMatchObject({ event: undefined, data: 'x' });
});
