import { createParser } from 'eventsource-parser';
import { describe, expect, test } from 'vitest';
import { parseEvents } from '../../client/src/sse-parser.ts';
import { seededRandom } from '../support/seeded-random.ts';

type Parsed = readonly [id: string, type: string, data: string];

function parse(chunks: readonly Uint8Array[]): { events: Parsed[]; retries: number[] } {
  const events: Parsed[] = [];
  const retries: number[] = [];
  const feed = parseEvents(
    (...event) => events.push(event),
    (ms) => retries.push(ms),
  );
  for (const chunk of chunks) feed(chunk);
  return { events, retries };
}

const STREAM = [
  'retry: 2000\n: a comment\n\n',
  'id: a@1-0\nevent: created\ndata: {"grüße": "日本 🎉"}\n\n',
  'data\ndata:\ndata:  two blanks\n\n',
  ':\nid: 2\ndata: one\ndata: two\n\n',
  'data: \u2028 stays\n\nevent: nobody\n\n',
  'unknown: field\ndata: colon: in it\n\ndata: never complete\n',
].join('');

/** What a foreign parser reads. */
function expected(): Parsed[] {
  const events: Parsed[] = [];
  let last = '';
  const parser = createParser({
    onEvent({ id, event = '', data }) {
      last = id ?? last;
      events.push([last, event, data]);
    },
  });
  parser.feed(STREAM);
  return events;
}

describe('a stream of a broker', () => {
  const bytes = new TextEncoder().encode(STREAM);

  test('is read as a foreign parser reads it', () => {
    expect(parse([bytes]).events).toEqual(expected());
    expect(parse([bytes]).retries).toEqual([2000]);
  });

  test('is read the same however it is split', () => {
    const whole = parse([bytes]);
    expect(parse(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(whole);
    const random = seededRandom(16);
    for (let round = 0; round < 200; round++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = at + Math.floor(random() * 9);
        chunks.push(bytes.subarray(at, end));
        at = end;
      }
      expect(parse(chunks)).toEqual(whole);
    }
  });

  test('with an event that never ends is given up', () => {
    const chunk = new TextEncoder().encode('x'.repeat(1024 * 1024));
    const feed = parseEvents(
      () => undefined,
      () => undefined,
    );
    expect(() => {
      for (let n = 0; n < 20; n++) feed(chunk);
    }).toThrow('too long');
  });
});
