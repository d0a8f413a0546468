import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

let broker: Broker;
let stream: SseStream;
beforeAll(async () => {
  broker = await startBroker();
  stream = await openStream(`${broker.url}/events/json`);
  await stream.until('sluice:ready');
});
afterAll(() => broker.kill());

/** Publishes the JSON text as `data`. Returns what the subscriber got, as parsed data and as bytes. */
async function deliver(data: string): Promise<{ data: string; wire: string }> {
  const before = stream.text.length;
  const answer = await publishRaw(broker, { body: `{"channel":"json","data":${data}}` });
  expect(answer.status).toBe(200);
  expect(answer.header('content-type')).toBe('application/json');
  const event = await stream.next();
  expect(answer.body).toBe(`{"channel":"json","id":"${event.id}"}`);
  const [idLine, ...rest] = stream.text.slice(before).split('\n');
  expect(idLine).toBe(`id: ${event.id}`);
  return { data: event.data, wire: rest.join('\n') };
}

describe('a string is delivered unchanged', () => {
  test.each([
    ['a word', 'hello', 'data: hello\n\n'],
    ['nothing', '', 'data: \n\n'],
    ['a space', ' ', 'data:  \n\n'],
    ['spaces around', '  a  ', 'data:   a  \n\n'],
    ['JSON in a string', '{"a": 1}', 'data: {"a": 1}\n\n'],
    ['text that looks like fields', 'id: 9-9\nevent: x', 'data: id: 9-9\ndata: event: x\n\n'],
    ['LF', 'a\nb', 'data: a\ndata: b\n\n'],
    ['CR', 'a\rb', 'data: a\ndata: b\n\n'],
    ['CRLF', 'a\r\nb', 'data: a\ndata: b\n\n'],
    ['LF and CR, two ends of lines', 'a\n\rb', 'data: a\ndata: \ndata: b\n\n'],
    ['empty lines', '\n\n', 'data: \ndata: \ndata: \n\n'],
    ['a line break at the end', 'a\r\n', 'data: a\ndata: \n\n'],
    ['an event forged behind a blank line', 'a\n\ndata: b', 'data: a\ndata: \ndata: data: b\n\n'],
    ['a tab', 'a\tb', 'data: a\tb\n\n'],
    ['an escape and DEL', '\u001b[31m\u007f', 'data: \u001b[31m\u007f\n\n'],
    ['a line separator, which ends no line', 'a\u2028b\u2029c', 'data: a\u2028b\u2029c\n\n'],
    ['next line, which ends no line either', 'a\u0085b', 'data: a\u0085b\n\n'],
    ['a byte order mark in front', '\ufeffa', 'data: \ufeffa\n\n'],
    ['a byte order mark inside', 'a\ufeffb', 'data: a\ufeffb\n\n'],
    ['characters of two, three and four bytes', 'é€😀', 'data: é€😀\n\n'],
    ['the replacement character itself', '\ufffd', 'data: \ufffd\n\n'],
    ['characters joined to one', '👩‍👩‍👧', 'data: 👩‍👩‍👧\n\n'],
    ['the last code point', '\u{10ffff}', 'data: \u{10ffff}\n\n'],
  ])('%s', async (_what, text, wire) => {
    const lines = text.replaceAll(/\r\n?/g, '\n');
    expect(await deliver(JSON.stringify(text))).toEqual({ data: lines, wire });
  });

  test('a surrogate pair of two escapes is one character', async () => {
    expect(await deliver(String.raw`"\ud83d\ude00"`)).toMatchObject({ data: '😀' });
  });

  test('an escaped backslash before ud800 is ordinary text', async () => {
    expect(await deliver(String.raw`"\\ud800"`)).toMatchObject({ data: String.raw`\ud800` });
  });

  test('100,000 lines arrive as 100,000 lines', async () => {
    const text = 'x\n'.repeat(100_000);
    expect((await deliver(JSON.stringify(text))).data).toBe(text);
  });

  test('900 KiB on one line arrive complete', async () => {
    const text = 'ä'.repeat(450 * 1024);
    expect((await deliver(JSON.stringify(text))).data).toBe(text);
  });
});

describe('any other value is delivered as compact JSON text', () => {
  test.each([
    ['null', 'null', 'null'],
    ['true', 'true', 'true'],
    ['zero', '0', '0'],
    ['an object', '{ "total" : 12 ,\n "paid" : false }', '{"total":12,"paid":false}'],
    ['a list', '[ 1, "a", null, [] , {} ]', '[1,"a",null,[],{}]'],
    ['line breaks in a value', String.raw`{"a":"x\r\ny"}`, String.raw`{"a":"x\r\ny"}`],
    ['escapes that need not be', String.raw`["\u0041\/"]`, String.raw`["\u0041\/"]`],
    ['the same property twice', '{"a":1,"a":2}', '{"a":1,"a":2}'],
    ['blanks in a string', '[ " a : 1 ", "\\" " ]', '[" a : 1 ","\\" "]'],
    ['a line separator', '["\u2028"]', '["\u2028"]'],
    ['characters of four bytes', '{"😀":"😀"}', '{"😀":"😀"}'],
    ['a property called __proto__', '{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}'],
    ['a property called toJSON', '{"toJSON":"x"}', '{"toJSON":"x"}'],
    ['150 levels', `${'['.repeat(150)}1${']'.repeat(150)}`, `${'['.repeat(150)}1${']'.repeat(150)}`],
  ])('%s', async (_what, given, text) => {
    expect(await deliver(given)).toEqual({ data: text, wire: `data: ${text}\n\n` });
  });

  test.each([
    '9007199254740993',
    '12345678901234567890',
    '-9223372036854775808',
    '{"id":18446744073709551615}',
    '{"__proto__":18446744073709551615}',
    '[0.1234567890123456789]',
    '123456789.123456789',
    '[1e400,1E-400]',
    '{"a":[{"b":9007199254740993}],"c":"d"}',
  ])('numbers keep their digits: %s', async (given) => {
    expect(await deliver(given)).toMatchObject({ data: given });
  });

  test.each(['1', '-1', '1.5', '4294967296', '9007199254740991', '1.0', '-0', '1e2', '[10.00]'])(
    'numbers stay unchanged: %s',
    async (given) => {
      expect(await deliver(given)).toMatchObject({ data: given });
    },
  );
});
