import { MARKER_LENGTH, readMarker } from './marker.ts';
import type { Marker } from './marker.ts';

/** Receives the parts of one stream. The bytes are valid only during the call. */
export interface StreamListener {
  /** The head of the answer has arrived. For any status but 200 no stream follows. */
  onHead(status: number, compressed: boolean): void;
  /** A line of the stream, without its line break. Not called for blank lines, and not for all lines of data. */
  onLine(bytes: Uint8Array, start: number, end: number): void;
  /** The data of one event. The marker is valid only during the call. */
  onEvent(marker: Marker): void;
}

const LF = 0x0a;
const CR = 0x0d;
const D = 0x64;
const DATA = 'data: '.length;
const MARKER: Marker = { due: 0, publisher: 0, number: 0 };

type Phase = 'head' | 'plain' | 'chunk-size' | 'chunk' | 'chunk-end' | 'over';

/**
 * Reads one HTTP answer with an event stream, at a million events a second. It reads only as much of HTTP and of the stream as
 * the benchmark needs, and does not check the formats.
 */
export class StreamReader {
  readonly #listener: StreamListener;
  /** The size of an event's data in bytes. With it, the reader can skip the rest of the line. */
  readonly #size: number;
  /** Where the marker is in the data. Found elsewhere, too, but slower. */
  readonly #markerAt: number;
  #decode: ((bytes: Buffer) => void) | undefined;
  #phase: Phase = 'head';
  #head = '';
  #chunkSize = '';
  #chunkLeft = 0;
  /** The start of a line whose end has not arrived yet. */
  #carry: Buffer | undefined;

  constructor(listener: StreamListener, size: number, markerAt: number) {
    this.#listener = listener;
    this.#size = size;
    this.#markerAt = markerAt;
  }

  /** From now on gives the body's bytes to `decode`, which gives what it makes of them to {@link pushText}. */
  decodeWith(decode: (bytes: Buffer) => void): void {
    this.#decode = decode;
  }

  pushText(bytes: Buffer): void {
    this.#readLines(bytes, 0, bytes.length);
  }

  push(bytes: Buffer, length: number): void {
    let at = this.#phase === 'head' ? this.#readHead(bytes, length) : 0;
    if (this.#phase === 'plain') {
      this.#readBody(bytes, at, length);
      return;
    }
    while (at < length && this.#phase !== 'over') at = this.#readChunked(bytes, at, length);
  }

  #readHead(bytes: Buffer, length: number): number {
    const before = this.#head.length;
    this.#head += bytes.toString('latin1', 0, length);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return length;
    const head = this.#head.slice(0, end);
    this.#phase = /^transfer-encoding: *chunked/im.test(head) ? 'chunk-size' : 'plain';
    this.#head = '';
    this.#listener.onHead(Number(head.slice(9, 12)), /^content-encoding: *gzip/im.test(head));
    return end + 4 - before;
  }

  #readChunked(bytes: Buffer, from: number, length: number): number {
    if (this.#phase === 'chunk') {
      const end = Math.min(length, from + this.#chunkLeft);
      this.#readBody(bytes, from, end);
      this.#chunkLeft -= end - from;
      if (this.#chunkLeft === 0) this.#phase = 'chunk-end';
      return end;
    }
    const end = bytes.indexOf(LF, from);
    const complete = end >= 0 && end < length;
    if (this.#phase === 'chunk-size')
      this.#chunkSize += bytes.toString('latin1', from, complete ? end : length);
    if (!complete) return length;
    if (this.#phase === 'chunk-end') {
      this.#phase = 'chunk-size';
    } else {
      this.#chunkLeft = Number.parseInt(this.#chunkSize, 16);
      this.#chunkSize = '';
      this.#phase = this.#chunkLeft > 0 ? 'chunk' : 'over';
    }
    return end + 1;
  }

  #readBody(bytes: Buffer, from: number, to: number): void {
    if (this.#decode === undefined) this.#readLines(bytes, from, to);
    // A copy, because the decoder works later.
    else if (to > from) this.#decode(Buffer.from(bytes.subarray(from, to)));
  }

  #readLines(bytes: Buffer, from: number, to: number): void {
    let at = from;
    if (this.#carry !== undefined) {
      const end = bytes.indexOf(LF, at);
      const complete = end >= 0 && end < to;
      const line: Buffer = Buffer.concat([this.#carry, bytes.subarray(at, complete ? end : to)]);
      this.#carry = complete ? undefined : line;
      if (!complete) return;
      this.#readLine(line, 0, line.length);
      at = end + 1;
    }
    const listener = this.#listener;
    const jump = DATA + this.#size;
    const markerAt = DATA + this.#markerAt;
    while (at < to) {
      // The common case: the line is a whole event of the benchmark, whose length is known.
      if (
        bytes[at] === D &&
        at + jump < to &&
        bytes[at + jump] === LF &&
        readMarker(bytes, at + markerAt, MARKER)
      ) {
        listener.onEvent(MARKER);
        at += jump + 1;
        continue;
      }
      let end = at;
      while (end < to && bytes[end] !== LF) end++;
      if (end === to) {
        this.#carry = Buffer.from(bytes.subarray(at, to));
        return;
      }
      if (end > at) this.#readLine(bytes, at, end);
      at = end + 1;
    }
  }

  #readLine(bytes: Buffer, start: number, lineEnd: number): void {
    const end = bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end === start) return;
    this.#listener.onLine(bytes, start, end);
    if (bytes[start] !== D) return;
    // In JSON other bytes stand before the marker, and one line may have many events.
    for (let at = start; at <= end - MARKER_LENGTH; at++) {
      if (!readMarker(bytes, at, MARKER)) continue;
      this.#listener.onEvent(MARKER);
      at += this.#size - this.#markerAt - 1;
    }
  }
}
