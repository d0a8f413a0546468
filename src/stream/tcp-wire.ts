import type { ConnectionListener } from '../tcp/client-connection.ts';
import type { TcpConnection } from '../tcp/tcp-connection.ts';
import { LINGER_MS } from './wire.ts';
import type { Wire } from './wire.ts';

/** A stream of HTTP/1.1 right on its TCP connection, which ends with the stream. */
export class TcpWire implements Wire, ConnectionListener {
  readonly outlet: TcpConnection;
  readonly chunked = true;
  #drained: (() => void) | undefined;
  #closed: (() => void) | undefined;

  constructor(connection: TcpConnection) {
    this.outlet = connection;
    connection.listener = this;
  }

  listen(onDrain: () => void, onClose: () => void): void {
    this.#drained = onDrain;
    this.#closed = onClose;
  }

  release(): void {
    this.outlet.uncork();
  }

  unsentBytes(): number {
    return this.outlet.writableLength;
  }

  end(): void {
    this.outlet.endSoon();
    this.#linger(this.outlet.writableLength);
  }

  breakOff(): void {
    this.end();
  }

  reset(): void {
    this.outlet.reset();
  }

  cut(): void {
    this.outlet.destroy();
  }

  /** What the client sends on is dropped: nothing can be answered behind a stream. */
  onData(): void {}

  /** A stream needs both halves of its connection. */
  onEnd(): void {
    this.outlet.destroy();
  }

  onDrain(): void {
    this.#drained?.();
  }

  onClose(): void {
    this.#closed?.();
  }

  /** @param waiting the bytes that wait for the reader */
  #linger(waiting: number): void {
    if (waiting === 0) return;
    setTimeout(() => {
      const rest = this.outlet.writableLength;
      if (rest === waiting) this.outlet.destroy();
      else this.#linger(rest);
    }, LINGER_MS).unref();
  }
}
