import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ORIGIN } from '../../../src/core/event.ts';
import type { StoredEvent } from '../../../src/core/event.ts';
import { asChunk, joinFrames } from '../../../src/core/shared-bytes.ts';

function eventsOf(frames: readonly Buffer[]): StoredEvent[] {
  return frames.map((frame) => ({ id: ORIGIN, prev: ORIGIN, frame }));
}

/** Frames that stand in one buffer, as those of a page of the embedded log do. */
function sliced(sizes: readonly number[]): Buffer[] {
  const all = Buffer.allocUnsafeSlow(sizes.reduce((sum, size) => sum + size, 0));
  all.fill('0123456789');
  let start = 0;
  return sizes.map((size) => all.subarray(start, (start += size)));
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 40_000 })), {
  maxLength: 20,
});

describe('frames behind each other', () => {
  test('are the same bytes plain and as a chunk, from wherever they come', () => {
    fc.assert(
      fc.property(sizes, fc.boolean(), (lengths, inOnePiece) => {
        const frames = inOnePiece ? sliced(lengths) : lengths.map((size) => Buffer.alloc(size, 'é'));
        const { plain, chunk } = joinFrames(eventsOf(frames));
        expect(plain.equals(Buffer.concat(frames))).toBe(true);
        if (chunk === undefined) return;
        const whole = [`${plain.length.toString(16)}\r\n`, plain, '\r\n'].map((part) => Buffer.from(part));
        expect(chunk.equals(Buffer.concat(whole))).toBe(true);
        expect(chunk.buffer).toBe(plain.buffer);
      }),
    );
  });

  test('are one buffer for both if they are few, and not copied if they are one large buffer already', () => {
    expect(joinFrames(eventsOf([Buffer.from('a')])).chunk).toBeDefined();
    for (const frames of [[Buffer.alloc(100_000)], sliced([50_000, 50_000])]) {
      const { plain, chunk } = joinFrames(eventsOf(frames));
      expect([plain.buffer === frames[0]?.buffer, chunk]).toEqual([true, undefined]);
    }
  });
});

test('a chunk says how many bytes it has, not how many characters', () => {
  expect(asChunk('é')).toBe('2\r\né\r\n');
});
