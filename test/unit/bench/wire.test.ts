import { describe, expect, test } from 'vitest';
import { JSON_MARKER_AT, writeJsonData } from '../../../bench/load/json-data.ts';
import { readMarker } from '../../../bench/load/marker.ts';
import type { Marker } from '../../../bench/load/marker.ts';
import { StreamReader } from '../../../bench/load/stream-reader.ts';
import { fill, fillJson, resumed } from '../../../bench/load/wire.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';

/** The events and the lines that a reader finds in an answer. */
function read(body: string, size: number, markerAt = 0): { numbers: number[]; lines: string[] } {
  const numbers: number[] = [];
  const lines: string[] = [];
  const reader = new StreamReader(
    {
      onHead: () => undefined,
      onLine: (bytes, start, end) => lines.push(Buffer.from(bytes.subarray(start, end)).toString()),
      onEvent: ({ number }) => numbers.push(number),
    },
    size,
    markerAt,
  );
  const answer = Buffer.from(HEAD + body);
  reader.push(answer, answer.length);
  return { numbers, lines };
}

function event(number: number): string {
  return `@0000000001p000n0000000${number}`.padEnd(40, 'x');
}

describe('data as JSON', () => {
  test('have the size, the marker in its place, and other values in each event', () => {
    const events = [0, 1, 2].map((seed) => writeJsonData({ due: 5, publisher: 1, number: seed }, 400, seed));
    expect(events.map((text) => text.length)).toEqual([400, 400, 400]);
    expect(new Set(events.map((text) => (JSON.parse(text) as { id: string }).id)).size).toBe(3);
    const marker: Marker = { due: 0, publisher: 0, number: 0 };
    expect(readMarker(Buffer.from(events[2] ?? ''), JSON_MARKER_AT, marker)).toBe(true);
    expect(marker).toEqual({ due: 5, publisher: 1, number: 2 });
    expect(read(events.map((text) => `data: ${text}\n\n`).join(''), 400, JSON_MARKER_AT).numbers).toEqual([
      0, 1, 2,
    ]);
  });

  test('take the place of a string in JSON, and are escaped in a form', () => {
    expect(fillJson('{"channel":"{channel}","data":"{data}"}', 3, '{"a":1}')).toBe(
      '{"channel":"bench.3","data":{"a":1}}',
    );
    expect(fillJson('topic={channel}&data={data}', 3, '{"a":1}')).toBe(
      'topic=bench.3&data=%7B%22a%22%3A1%7D',
    );
    expect(fillJson('{data}', 3, '{"a":1}')).toBe('{"a":1}');
    expect(fill('{"data":"{data}"}', 3, '@1')).toBe('{"data":"@1"}');
  });
});

describe('a stream', () => {
  test('may have many events in one line, which is also read as a line', () => {
    const line = `data: {"connect":{"publications":[{"data":"${event(1)}"},{"data":"${event(2)}"}]}}`;
    expect(read(`${line}\n\n`, 40)).toEqual({ numbers: [1, 2], lines: [line] });
  });

  test('is resumed by a header, or by a path with the position', () => {
    const wire = {
      subscribe: { path: '/{channel}', headers: 'A: b\r\n' },
      publish: { path: '', headers: '', body: '' },
      probe: '/',
    };
    expect(resumed({ ...wire, resume: { header: 'Last-Event-ID' } }, 1, '7-0')).toEqual({
      path: '/bench.1',
      headers: 'A: b\r\nLast-Event-ID: 7-0\r\n',
    });
    expect(resumed({ ...wire, resume: { path: '/{channel}?at={position}' } }, 1, '"a":7')).toEqual({
      path: '/bench.1?at=%22a%22%3A7',
      headers: 'A: b\r\n',
    });
  });
});
