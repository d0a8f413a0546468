import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { constants, createGunzip } from 'node:zlib';
import type { Gunzip } from 'node:zlib';
import { ReceivedOrder } from './delivery-check.ts';
import type { DeliveryCheck } from './delivery-check.ts';
import type { Marker } from './marker.ts';
import { StreamReader } from './stream-reader.ts';
import type { StreamListener } from './stream-reader.ts';

/** One buffer for all reads of this process. Each read is processed before the next one. */
const READ_BUFFER = Buffer.alloc(256 * 1024);
const GAP = Buffer.from('event: sluice:gap');
const ID = Buffer.from('id: ');
/** Thousands of streams are decoded until they are ready, so each has a small buffer. */
const DECODED_BYTES = 4_096;

export interface SubscriberOptions {
  readonly port: number;
  readonly localAddress: string | undefined;
  /** The whole head of the request. */
  readonly request: string;
  /** The start of the line after which the stream is live. Undefined when the head of the answer is the only sign. */
  readonly readyLine: Buffer | undefined;
  readonly channel: number;
  readonly publishers: number;
  /** The number that the first event must have. */
  readonly first: number;
  readonly size: number;
  readonly markerAt: number;
  /** Whether to count only bytes, once a compressed stream is ready. */
  readonly countsOnly: boolean;
  readonly keepIds: boolean;
  readonly check: DeliveryCheck;
  /** The subscriber is complete when it is ready and has this many different events. */
  readonly wanted: number;
  readonly onReady: () => void;
  /** Called for each event that is not a repetition. */
  readonly onEvent: () => void;
  readonly onComplete: () => void;
  /** Called when the server closed the connection, or it could not be opened. */
  readonly onEnd: (why: string, wasReady: boolean) => void;
}

/** One subscriber on one socket. */
export class Subscriber implements StreamListener {
  readonly channel: number;
  readonly received: ReceivedOrder;
  /** The ids of its events, if it keeps them. */
  readonly ids: string[] = [];
  ready = false;
  ended = false;
  gaps = 0;
  /** Whether the answer is compressed. */
  compressed = false;
  /** Bytes of the answer since the stream was ready. */
  bytes = 0;
  /** Whether the events of the stream are no longer read. */
  counting = false;
  readonly #options: SubscriberOptions;
  readonly #socket: Socket;
  readonly #reader: StreamReader;
  #gunzip: Gunzip | undefined;
  #complete = false;
  #lastId = '';

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.channel = options.channel;
    this.received = new ReceivedOrder(options.publishers, options.first);
    this.#reader = new StreamReader(this, options.size, options.markerAt);
    const { check, port, localAddress } = options;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      ...(localAddress !== undefined && { localAddress }),
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (length) => {
          if (this.ready) this.bytes += length;
          if (this.counting) return true;
          check.tick();
          this.#reader.push(READ_BUFFER, length);
          return true;
        },
      },
    });
    this.#socket.on('connect', () => this.#socket.write(options.request));
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', () => this.#end('closed by the server'));
  }

  onHead(status: number, compressed: boolean): void {
    this.compressed = compressed;
    if (status !== 200) {
      this.#end(`answered with ${status}`);
      return;
    }
    if (compressed) this.#decode();
    if (this.#options.readyLine === undefined) this.#becomeReady();
  }

  onLine(bytes: Uint8Array, start: number, end: number): void {
    const { readyLine, keepIds } = this.#options;
    if (beginsWith(bytes, start, end, GAP)) this.gaps++;
    else if (keepIds && beginsWith(bytes, start, end, ID)) {
      this.#lastId = Buffer.from(bytes.subarray(start + ID.length, end)).toString('latin1');
    } else if (!this.ready && readyLine !== undefined && beginsWith(bytes, start, end, readyLine)) {
      this.#becomeReady();
    }
  }

  onEvent(marker: Marker): void {
    const { check, keepIds, onEvent } = this.#options;
    if (!check.event(this.received, marker)) return;
    if (keepIds) this.ids.push(this.#lastId);
    onEvent();
    this.#checkState();
  }

  /** Resets the connection, so that thousands of closed connections do not occupy their ports for another minute. */
  close(): void {
    this.ended = true;
    this.#gunzip?.destroy();
    this.#socket.resetAndDestroy();
  }

  #decode(): void {
    const gunzip = createGunzip({ chunkSize: DECODED_BYTES, finishFlush: constants.Z_SYNC_FLUSH });
    this.#gunzip = gunzip;
    gunzip.on('error', (error) => this.#end(`cannot be decoded: ${error.message}`));
    gunzip.on('data', (text: Buffer) => {
      if (this.counting || this.ended) return;
      this.#options.check.tick();
      this.#reader.pushText(text);
    });
    this.#reader.decodeWith((bytes) => gunzip.write(bytes));
  }

  #becomeReady(): void {
    this.ready = true;
    if (this.compressed && this.#options.countsOnly) {
      this.counting = true;
      this.#gunzip?.destroy();
      this.#gunzip = undefined;
    }
    this.#options.onReady();
    this.#checkState();
  }

  #checkState(): void {
    if (this.#complete || !this.ready || this.received.distinct < this.#options.wanted) return;
    this.#complete = true;
    this.#options.onComplete();
  }

  #end(why: string): void {
    if (this.ended) return;
    this.ended = true;
    this.#gunzip?.destroy();
    this.#socket.destroy();
    this.#options.onEnd(why, this.ready);
  }
}

function beginsWith(bytes: Uint8Array, start: number, end: number, text: Buffer): boolean {
  if (end - start < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}
