import { NOBODY } from './client-connection.ts';
import type { ClientConnection, ConnectionListener } from './client-connection.ts';
import type { HandleRequest, TcpHandle, WriteRequest } from './tcp-handle.ts';
import type { TcpParts } from './tcp-parts.ts';

/** The code of libuv for the end of the stream. */
const UV_EOF = -4095;

/** Above so many waiting bytes `write` returns false. A socket has the same. */
const ROOM_BYTES = 64 * 1024;

/** Where a handle names its connection. */
const CONNECTION = Symbol('connection');
type OwnHandle = TcpHandle & { [CONNECTION]?: TcpConnection };
type Own<R extends HandleRequest> = R & { connection?: TcpConnection };

/**
 * One accepted connection over Node's handle, without the streams of `node:net` between them: a socket's two streams, their states and
 * listeners take some 2 KiB for each connection and half of the CPU of a small write. It is also the outlet of a stream
 * (`stream/wire`).
 *
 * Nothing here throws for what a client does. An error of the connection closes it.
 */
export class TcpConnection implements ClientConnection {
  listener: ConnectionListener = NOBODY;
  readonly #handle: OwnHandle;
  readonly #parts: TcpParts;
  readonly #gone: () => void;
  /** Parts that leave together. Undefined when not corked. */
  #corked: (Buffer | string)[] | undefined;
  /** How often `cork` was called without its `uncork`. */
  #corks = 0;
  /** Requests that libuv keeps. */
  #kept = 0;
  #reading = false;
  #ended = false;
  #ending = false;
  #finished = false;
  /** Closes when all written bytes have left, and does not wait for the client's FIN. */
  #closesSoon = false;
  #destroyed = false;

  /** @param gone called once, when the handle is closed or given away */
  constructor(handle: TcpHandle, parts: TcpParts, gone: () => void = () => undefined) {
    this.#handle = handle;
    this.#gone = gone;
    this.#parts = parts;
    this.#handle[CONNECTION] = this;
    handle.onread = onRead;
    parts.takeReads(handle);
    this.resume();
  }

  get remoteAddress(): string | undefined {
    const found: { address?: string } = {};
    return !this.#destroyed && this.#handle.getpeername(found) === 0 ? found.address : undefined;
  }

  get writable(): boolean {
    return !this.#ending && !this.#destroyed;
  }

  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Bytes that wait in this process. */
  get writableLength(): number {
    if (this.#destroyed) return 0;
    let bytes = this.#kept === 0 ? 0 : this.#handle.writeQueueSize;
    if (this.#corked !== undefined) for (const part of this.#corked) bytes += part.length;
    return bytes;
  }

  /** Texts are UTF-8 unless they are said to be Latin-1. A text without other characters than ASCII is both. */
  write(bytes: Buffer | string, encoding?: 'latin1'): boolean {
    if (!this.writable) return false;
    if (this.#corked !== undefined) {
      // Parts have no encoding of their own, so a text of Latin-1 becomes bytes.
      this.#corked.push(
        encoding === 'latin1' && typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes,
      );
      return true;
    }
    const handle = this.#handle;
    const { request } = this.#parts;
    let status: number;
    if (typeof bytes !== 'string') status = handle.writeBuffer(request, bytes);
    else if (encoding === 'latin1') status = handle.writeLatin1String(request, bytes);
    else status = handle.writeUtf8String(request, bytes);
    return this.#written(status, request, bytes);
  }

  cork(): void {
    this.#corks++;
    this.#corked ??= [];
  }

  /** The corked parts leave in one write. */
  uncork(): void {
    if (this.#corks > 0) this.#corks--;
    if (this.#corks === 0) this.#flush();
  }

  #flush(): void {
    const parts = this.#corked;
    this.#corked = undefined;
    if (parts === undefined || parts.length === 0 || !this.writable) return;
    if (parts.length === 1) {
      this.write(parts[0] as Buffer | string);
      return;
    }
    const { request } = this.#parts;
    const isText = parts.every((part) => typeof part === 'string');
    if (isText) {
      this.write(parts.join(''));
      return;
    }
    const buffers = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
    this.#written(this.#handle.writev(request, buffers, true), request, buffers);
  }

  pause(): void {
    if (!this.#reading || this.#destroyed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.#ended || this.#destroyed) return;
    this.#reading = true;
    if (this.#handle.readStart() !== 0) this.destroy();
  }

  end(): void {
    if (!this.writable) return;
    this.#corks = 0;
    this.#flush();
    // A write that fails destroys the connection.
    if (!this.writable) return;
    this.#ending = true;
    const request: Own<HandleRequest> = new this.#parts.binding.ShutdownWrap();
    request.connection = this;
    request.oncomplete = onShutdown;
    if (this.#handle.shutdown(request) !== 0) this.finished();
  }

  /** Sends FIN behind the written bytes, and closes the connection when they have left. */
  endSoon(): void {
    this.#closesSoon = true;
    this.end();
    if (this.#finished) this.destroy();
  }

  destroy(): void {
    if (this.#dropAll()) this.#handle.close(() => this.#closed());
  }

  /** Closes the connection with a reset, so that the kernel frees the bytes that it holds for the client. */
  reset(): void {
    if (!this.#dropAll()) return;
    const done = (): void => this.#closed();
    if (this.#handle.reset(done) !== 0) this.#handle.close(done);
  }

  /** False when the connection is destroyed already. */
  #dropAll(): boolean {
    if (this.#destroyed) return false;
    this.#destroyed = true;
    this.#corked = undefined;
    return true;
  }

  #closed(): void {
    this.#gone();
    this.listener.onClose();
  }

  /**
   * Gives the handle away. Nothing is read or written here any more. Bytes that the client has sent since come from the handle.
   * @param take sets the next `onread`
   */
  release(take: (handle: TcpHandle) => void): void {
    this.pause();
    this.#destroyed = true;
    this.listener = NOBODY;
    delete this.#handle[CONNECTION];
    // Later, when the next owner is counted: a server that closes would take itself for drained in between.
    process.nextTick(this.#gone);
    take(this.#handle);
    this.#parts.copyReads(this.#handle);
  }

  /** Called by the handle, for bytes, the client's FIN, or the loss of the connection. */
  received(): void {
    const status = this.#parts.lastRead;
    if (status === 0 || this.#destroyed) return;
    if (status > 0) {
      this.listener.onData(this.#parts.bytes(status));
      return;
    }
    if (status !== UV_EOF) {
      this.destroy();
      return;
    }
    this.#reading = false;
    this.#ended = true;
    this.listener.onEnd();
    if (this.#finished) this.destroy();
  }

  /** All bytes of a kept request have left, or the connection is lost. */
  left(status: number): void {
    this.#kept--;
    if (this.#destroyed) return;
    if (status < 0) this.destroy();
    else if (this.#kept === 0 && !this.#ending) this.listener.onDrain();
  }

  /** The FIN has left, or the connection is lost. */
  finished(): void {
    this.#finished = true;
    if (this.#ended || this.#closesSoon) this.destroy();
  }

  #written(status: number, request: WriteRequest, bytes: unknown): boolean {
    if (status !== 0) {
      this.destroy();
      return false;
    }
    if (!this.#parts.isKept) return true;
    const own: Own<WriteRequest> = request;
    own.connection = this;
    own.oncomplete = onWritten;
    own.bytes = bytes;
    this.#kept++;
    return this.#handle.writeQueueSize <= ROOM_BYTES;
  }
}

/** All handles share this function, and the next ones. */
function onRead(this: OwnHandle): void {
  this[CONNECTION]?.received();
}

function onWritten(this: Own<WriteRequest>, status: number): void {
  this.bytes = undefined;
  this.connection?.left(status);
}

function onShutdown(this: Own<HandleRequest>): void {
  this.connection?.finished();
}
