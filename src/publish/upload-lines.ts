import { Buffer, isUtf8 } from 'node:buffer';
import { BrokerError } from '../events/errors.ts';
import { invalidBody } from './body-faults.ts';

const LF = 0x0a;
const CR = 0x0d;
/** What the queue of chunks costs for each chunk beside its bytes, rounded up. */
const CHUNK_OVERHEAD_BYTES = 200;
/** A larger buffer for the beginning of a line is not kept for the next line, in bytes. */
const KEPT_BYTES = 64 * 1024;

/**
 * Divides the bytes of an upload into lines as they arrive. A line may be spread over many chunks: each byte is looked at once,
 * and copied only when its line is not within one chunk.
 */
export class UploadLines {
  readonly #maxBytes: number;
  readonly #fieldBytes: number;
  /** Whether a CR ends a line, as in SSE. Otherwise only LF ends a line, and a CR before the LF is dropped. */
  readonly #endsAtCr: boolean;
  readonly #chunks: Buffer[] = [];
  /** The offset of the next byte in the first chunk. */
  #at = 0;
  #waiting = 0;
  /** The beginning of the next line, from earlier chunks. */
  #begun = Buffer.alloc(0);
  #begunLength = 0;
  /** The last line ended in CR, and an LF that follows belongs to it. */
  #afterCr = false;
  #number = 0;
  /** {@link next} returns no line with a greater number. */
  #last = Infinity;

  /**
   * @param maxBytes the limit for a line
   * @param fieldBytes how many more bytes a line may have, because it begins with the name of a field
   */
  constructor(maxBytes: number, endsAtCr: boolean, fieldBytes = 0) {
    this.#maxBytes = maxBytes;
    this.#fieldBytes = fieldBytes;
    this.#endsAtCr = endsAtCr;
  }

  /** The number of the line that {@link next} returned last, from 1. */
  get number(): number {
    return this.#number;
  }

  /** The memory of the bytes that {@link next} has not looked at, in bytes. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The memory of all bytes that are not part of a whole line yet, in bytes. */
  get held(): number {
    return this.#waiting + this.#begunLength;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#waiting += chunk.length + CHUNK_OVERHEAD_BYTES;
  }

  /** Lets {@link next} return this many more lines. Without this call there is no limit. */
  allow(count: number): void {
    this.#last = this.#number + count;
  }

  /**
   * The next whole line, without its end; undefined when it has not arrived, or the allowed lines are used up. The bytes are
   * valid until the next call.
   * @throws BrokerError `body-too-large` for a line that is too long
   */
  next(): Buffer | undefined {
    if (this.#number >= this.#last) return undefined;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (this.#afterCr && this.#at < chunk.length) {
        this.#afterCr = false;
        if (chunk[this.#at] === LF) this.#at++;
      }
      const start = this.#at;
      const end = this.#lineEnd(chunk, start);
      if (end === chunk.length) {
        this.#begin(chunk, start);
        this.#chunks.shift();
        this.#waiting -= chunk.length + CHUNK_OVERHEAD_BYTES;
        this.#at = 0;
        continue;
      }
      this.#at = end + 1;
      this.#afterCr = chunk[end] === CR;
      return this.#line(chunk, start, end);
    }
    return undefined;
  }

  /** The line that has begun and has no end; undefined when there is none. Call it when no more bytes come. */
  rest(): Buffer | undefined {
    return this.#begunLength === 0 ? undefined : this.#line(Buffer.alloc(0), 0, 0);
  }

  #lineEnd(chunk: Buffer, start: number): number {
    if (!this.#endsAtCr) {
      const lf = chunk.indexOf(LF, start);
      return lf < 0 ? chunk.length : lf;
    }
    let end = start;
    while (end < chunk.length && chunk[end] !== LF && chunk[end] !== CR) end++;
    return end;
  }

  #line(chunk: Buffer, start: number, end: number): Buffer {
    this.#number++;
    let line = chunk.subarray(start, end);
    if (this.#begunLength > 0) {
      this.#begin(chunk.subarray(0, end), start);
      line = this.#begun.subarray(0, this.#begunLength);
      this.#begunLength = 0;
      if (this.#begun.length > KEPT_BYTES) this.#begun = Buffer.alloc(0);
    }
    const whole = !this.#endsAtCr && line.at(-1) === CR ? line.subarray(0, -1) : line;
    this.#refuseTooLong(whole.length);
    return whole;
  }

  /** Keeps the bytes of the chunk from `start` on. The buffer doubles, so a line in chunks of one byte costs linear time. */
  #begin(chunk: Buffer, start: number): void {
    const length = this.#begunLength + chunk.length - start;
    // A CR that may belong to the end of the line does not count.
    this.#refuseTooLong(length - 1);
    if (length > this.#begun.length) {
      const larger = Buffer.allocUnsafeSlow(2 * length);
      this.#begun.copy(larger, 0, 0, this.#begunLength);
      this.#begun = larger;
    }
    chunk.copy(this.#begun, this.#begunLength, start);
    this.#begunLength = length;
  }

  #refuseTooLong(length: number): void {
    if (length > this.#maxBytes + this.#fieldBytes) throw tooLongLine(this.#maxBytes);
  }
}

export function tooLongLine(maxBytes: number): BrokerError {
  return new BrokerError(
    'body-too-large',
    `A line has more than ${maxBytes} bytes, which is SLUICE_MAX_BODY_BYTES.`,
  );
}

/**
 * Decodes a line, or a part of a line.
 * @throws BrokerError `invalid-body` when it is not UTF-8, or holds NUL
 */
export function decodeLine(line: Buffer, number: number): string {
  const text = isUtf8(line) ? line.toString('utf8') : undefined;
  if (text === undefined) throw faultyLine(number, 'is not valid UTF-8');
  if (text.includes('\0')) throw faultyLine(number, 'holds NUL, which is not allowed in text');
  return text;
}

export function faultyLine(number: number, detail: string): BrokerError {
  return invalidBody([{ pointer: '', detail: `is faulty: line ${number} ${detail}` }]);
}
