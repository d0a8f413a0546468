import { crc32 } from 'node:zlib';
import { crcFactor } from './crc-combining.ts';
import { deflatedBlocks, storedBlocks } from './deflate-blocks.ts';
import { sharedBytes } from './shared-bytes.ts';
import type { GzipBytes, SharedBytes } from './shared-bytes.ts';

/** From this many readers on, compressing once costs less than all of them save. */
const MANY_READERS = 8;
/**
 * What may be spent on runs with fewer readers, in µs of a slice of time. Beyond it they are sent as they are: a broker with
 * thousands of channels of one reader each would otherwise compress all day.
 */
const SLICE_MS = 100;
const SLICE_BUDGET_US = 3_000;
/** The time of a compression, roughly: what it costs to begin, and each byte. */
const START_US = 30;
const BYTES_PER_US = 80;
/** More bytes than this are not compressed, because that would hold up the event loop. */
const MAX_BYTES = 256 * 1024;
/** Each segment is compressed for itself, so that a reader of the end of a run can share its bytes. */
export const SEGMENT_BYTES = 16 * 1024;
/** All windows together have no more than this. */
const MAX_WINDOW_BYTES = 8 * 1024 * 1024;

/** Since the start. */
export interface CompressionFigures {
  /** How many times something was compressed. */
  compressions: number;
  /** Bytes of the bodies of compressed streams, before and after compression. */
  plainBytes: number;
  sentBytes: number;
}

/** Compresses for all streams of a replica, and decides what is worth it. */
export class Compressor {
  readonly figures: CompressionFigures = { compressions: 0, plainBytes: 0, sentBytes: 0 };
  #sliceBegan = -Infinity;
  #left = 0;
  #windowBytes = 0;

  /** Whether bytes for this many readers are to be compressed. The answer yes counts against the budget. */
  grants(length: number, readers: number): boolean {
    if (length > MAX_BYTES) return false;
    if (readers >= MANY_READERS) return true;
    const now = performance.now();
    if (now - this.#sliceBegan >= SLICE_MS) {
      this.#sliceBegan = now;
      this.#left = SLICE_BUDGET_US;
    }
    if (this.#left <= 0) return false;
    this.#left -= START_US + length / BYTES_PER_US;
    return true;
  }

  /** @param window the bytes right before these; every reader of the blocks must have got them as the last ones */
  compress(bytes: Buffer, window: Buffer): SharedBytes {
    this.figures.compressions++;
    return inOneMemory([deflatedBlocks(bytes, window)]);
  }

  /** The bytes as blocks for any reader, without compression. */
  store(bytes: Buffer): SharedBytes {
    return inOneMemory([storedBlocks(bytes)]);
  }

  /**
   * The bytes as blocks for any reader. They are made at the first call.
   * @param readers how many streams may get these bytes
   */
  alone(bytes: SharedBytes, readers: number): GzipBytes {
    return (bytes.gzip ??= this.#gzipOf(bytes.plain, readers));
  }

  /** Takes or, with a negative number, gives back memory for windows. False when there is no more. */
  takeWindow(bytes: number): boolean {
    if (this.#windowBytes + bytes > MAX_WINDOW_BYTES) return false;
    this.#windowBytes += bytes;
    return true;
  }

  #gzipOf(plain: Buffer, readers: number): GzipBytes {
    const compress = this.grants(plain.length, readers);
    const segments: Buffer[] = [];
    const starts: number[] = [];
    let length = 0;
    for (let at = 0; at < plain.length; at += SEGMENT_BYTES) {
      const segment = plain.subarray(at, at + SEGMENT_BYTES);
      const blocks = compress ? deflatedBlocks(segment) : storedBlocks(segment);
      starts.push(length);
      segments.push(blocks);
      length += blocks.length;
    }
    if (compress) this.figures.compressions++;
    return {
      blocks: inOneMemory(segments),
      starts,
      crc: crc32(plain),
      factor: crcFactor(plain.length),
    };
  }
}

/** Blocks in memory of their own. What zlib gives is part of a larger memory. */
function inOneMemory(parts: readonly Buffer[]): SharedBytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return sharedBytes(length, (target, start) => {
    let at = start;
    for (const part of parts) at += part.copy(target, at);
  });
}
