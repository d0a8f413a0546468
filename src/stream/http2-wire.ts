import { Buffer } from 'node:buffer';
import { constants } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { LINGER_MS } from './wire.ts';
import type { Outlet, Wire } from './wire.ts';

/** Bytes that are written at a time. Progress of a reader that opens its window slowly is seen in such steps. */
const PIECE_BYTES = 16 * 1024;

/**
 * One stream of an HTTP/2 connection (RFC 9113). Node sends what all streams of a connection write in one turn of the event
 * loop together.
 */
export class Http2Wire implements Wire, Outlet {
  /** HTTP/2 has frames instead (RFC 9113 §8.1). */
  readonly chunked = false;
  readonly #stream: ServerHttp2Stream;
  readonly #connection: Socket;

  constructor(stream: ServerHttp2Stream, connection: Socket) {
    this.#stream = stream;
    this.#connection = connection;
    // With `_writev` Node would write all waiting pieces as one, and progress within it could not be seen.
    Object.defineProperty(stream, '_writev', { value: null });
    // Bytes from the reader are dropped. Reading them is how its leaving is noticed.
    stream.resume();
    stream.setTimeout(0);
  }

  get outlet(): Outlet {
    return this;
  }

  get writableLength(): number {
    return this.#stream.writableLength;
  }

  write(bytes: Buffer | string, encoding?: 'latin1'): boolean {
    if (bytes.length <= PIECE_BYTES) return this.#stream.write(bytes, encoding ?? 'utf8');
    const all = typeof bytes === 'string' ? Buffer.from(bytes, encoding ?? 'utf8') : bytes;
    let more = true;
    for (let from = 0; from < all.length; from += PIECE_BYTES) {
      more = this.#stream.write(all.subarray(from, from + PIECE_BYTES));
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
    // Nothing is held back over HTTP/2.
  }

  unsentBytes(): number {
    return this.#stream.writableLength;
  }

  end(): void {
    if (this.#stream.destroyed) return;
    this.#stream.end();
    this.#stream.setTimeout(LINGER_MS, () => this.reset());
  }

  breakOff(): void {
    // `close` would first end the stream properly. With the error, Node sends only RST_STREAM, with INTERNAL_ERROR.
    this.#stream.destroy(new Error('The stream is broken off.'));
  }

  reset(): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    stream.close(constants.NGHTTP2_CANCEL);
    // RST_STREAM waits behind the bytes that the connection has not taken. If the connection is dead, all its streams are.
    const resetting = setTimeout(() => this.#connection.resetAndDestroy(), LINGER_MS).unref();
    stream.once('close', () => clearTimeout(resetting));
  }

  cut(): void {
    this.#stream.destroy();
  }
}
