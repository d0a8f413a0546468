import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/events/errors.ts';
import { parseDisconnect } from '../../../src/routes/disconnect-body.ts';
import { parsePublication } from '../../../src/publish/publication.ts';
import { parseTokenBody } from '../../../src/routes/token-body.ts';

const MAX_BYTES = 1024 ** 2;
const READERS = {
  publication: (body: Buffer) => parsePublication(body, MAX_BYTES),
  token: parseTokenBody,
  disconnect: (body: Buffer) => parseDisconnect(body, 0),
};

function refusal(read: (body: Buffer) => unknown, body: string): BrokerError {
  try {
    read(Buffer.from(body));
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  return expect.unreachable();
}

/** A body with this many unknown fields, about 9 bytes each. */
function unknownFields(count: number): string {
  return `{${Array.from({ length: count }, (_, i) => `"${i.toString(36)}~/":1`).join(',')}}`;
}

test('a body with 100,000 unknown fields gets 20 faults, and the number of the others', () => {
  const { faults, message } = refusal(READERS.publication, unknownFields(100_000).replaceAll('~/', ''));
  expect(faults).toHaveLength(20);
  expect(faults[0]).toEqual({ pointer: '/channel', detail: 'must be a channel name' });
  // All unknown fields, and the two missing ones.
  expect(message).toBe(
    'channel must be a channel name; the first 20 faults are listed, and there are 99982 more.',
  );
});

describe.each(Object.entries(READERS))('in a body for a %s', (_what, read) => {
  test('at most 20 faults are listed, each once', () => {
    const { faults, message } = refusal(read, unknownFields(5_000));
    expect(faults).toHaveLength(20);
    expect(new Set(faults.map(({ pointer }) => pointer)).size).toBe(20);
    expect(faults.at(-1)?.pointer).toMatch(/^\/\w+~0~1$/);
    expect(message).toMatch(/; the first 20 faults are listed, and there are \d{4} more\.$/);
  });

  test('up to 20 faults are all listed', () => {
    const { faults, message } = refusal(read, unknownFields(17));
    expect(faults.length).toBeGreaterThanOrEqual(17);
    expect(message).not.toContain('more');
  });

  test('a long name is shortened', () => {
    const name = '😀'.repeat(10_000);
    const { faults, message } = refusal(read, JSON.stringify({ [name]: 1 }));
    const { pointer = '' } = faults.find((fault) => fault.pointer.startsWith('/😀')) ?? {};
    expect(pointer.length).toBeLessThan(110);
    expect(pointer.endsWith('…')).toBe(true);
    expect(JSON.stringify({ message, faults }).length).toBeLessThan(1_000);
  });

  test.each(['', '[', '{"a":1', '{"a":\u00001}', 'null', '[]', '"x"', '7'])(
    '%j is refused as a whole',
    (body) => {
      expect(refusal(read, body).faults[0]?.pointer).toBe('');
    },
  );

  test('deep nesting is refused, and does not overflow the stack', () => {
    const { message } = refusal(read, `{"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}`);
    expect(message).toContain('nested deeper than 200 levels');
  });

  test('names such as __proto__ and constructor are unknown fields', () => {
    const { faults } = refusal(read, '{"__proto__":{"channel":"a"},"constructor":1}');
    const pointers = faults.map(({ pointer }) => pointer);
    expect(pointers).toContain('/__proto__');
    expect(pointers).toContain('/constructor');
  });
});

test('an escaped name is the same field, and the last of repeated fields counts', () => {
  const body = String.raw`{"ch\u0061nnel":"a","channel":"b","data":"first","d\u0061ta":[1]}`;
  expect(parsePublication(Buffer.from(body), MAX_BYTES)).toMatchObject({
    channel: 'b',
    event: { data: '[1]' },
  });
});

test("an escape that is no letter is not part of a field's name", () => {
  const { faults } = refusal(READERS.publication, String.raw`{"channel":"a","data":1,"\n0064ata":2}`);
  expect(faults.map(({ pointer }) => pointer)).toEqual(['/\n0064ata']);
});

test.each([
  ['token', `{"subscribe":[${'"a",'.repeat(60_000)}"a"]}`],
  ['disconnect', `{"channel":"a"${' '.repeat(70_000)}}`],
] as const)('a %s of more than 64 KiB is body-too-large', (what, body) => {
  expect(refusal(READERS[what], body)).toMatchObject({
    code: 'body-too-large',
    message: expect.stringContaining('65536 are allowed') as string,
  });
});
