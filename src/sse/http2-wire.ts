import { Buffer } from 'node:buffer';
import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { LINGER } from './wire.ts';
import type { Outlet, Wire } from './wire.ts';

/** Bytes handed on at a time: the finest progress that can be seen of a reader that opens its window bit by bit. */
const PIECE = 16 * 1024;

/**
 * One stream among others of an HTTP/2 connection (RFC 9113). What streams of one connection write in a turn of the
 * event loop leaves together without our doing.
 */
export class Http2Wire implements Wire, Outlet {
  /** Frames of its own (RFC 9113 §8.1) take their place. */
  readonly chunked = false;
  readonly #stream: ServerHttp2Stream;
  readonly #connection: Socket;

  constructor(stream: ServerHttp2Stream, connection: Socket) {
    this.#stream = stream;
    this.#connection = connection;
    // Otherwise all that waits is handed on as one, and whether a reader takes any of it cannot be seen.
    Object.defineProperty(stream, '_writev', { value: null });
    // What the reader still sends is thrown away, so that its leaving is noticed.
    stream.resume();
    stream.setTimeout(0);
  }

  get outlet(): Outlet {
    return this;
  }

  get writableLength(): number {
    return this.#stream.writableLength;
  }

  write(bytes: Buffer | string): boolean {
    if (bytes.length <= PIECE) return this.#stream.write(bytes);
    const all = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    let more = true;
    for (let from = 0; from < all.length; from += PIECE) {
      more = this.#stream.write(all.subarray(from, from + PIECE));
    }
    return more;
  }

  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  listen(onDrain: () => void, onClose: () => void): void {
    this.#stream.on('drain', onDrain);
    this.#stream.once('close', onClose);
    // 'close' follows it.
    this.#stream.on('error', () => undefined);
  }

  release(): void {
    // Nothing is held back here.
  }

  unsentBytes(): number {
    return this.#stream.writableLength;
  }

  end(): void {
    if (this.#stream.destroyed) return;
    this.#stream.end();
    this.#stream.setTimeout(LINGER, () => this.reset());
  }

  reset(): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    stream.close(constants.NGHTTP2_CANCEL);
    // The frame that says so waits behind what a dead connection has not taken, together with all its streams.
    const patience = setTimeout(() => this.#connection.resetAndDestroy(), LINGER).unref();
    stream.once('close', () => clearTimeout(patience));
  }

  cut(): void {
    this.#stream.destroy();
  }
}
