import type { Socket } from 'node:net';
import { LINGER_MS } from './wire.ts';
import type { Wire } from './wire.ts';

/** Handles 'error', which says only that the reader left. 'close' follows it. */
function ignore(): void {}

/** A stream of HTTP/1.1, or of HTTP/1.0 without chunks, with or without TLS. The connection ends with the stream. */
export class SocketWire implements Wire {
  readonly outlet: Socket;
  readonly chunked: boolean;

  constructor(socket: Socket, chunked: boolean) {
    this.outlet = socket;
    this.chunked = chunked;
  }

  listen(onDrain: () => void, onClose: () => void): void {
    this.outlet.on('drain', onDrain);
    // Emitted once. `once` would keep two more objects.
    this.outlet.on('close', onClose);
    this.outlet.on('error', ignore);
  }

  release(): void {
    this.outlet.uncork();
  }

  unsentBytes(): number {
    return unsentBytes(this.outlet);
  }

  end(): void {
    const socket = this.outlet;
    socket.destroySoon();
    if (socket.writableLength > 0) socket.setTimeout(LINGER_MS, () => socket.destroy());
  }

  breakOff(): void {
    // Without chunks only a reset tells the reader that the answer is not complete.
    if (this.chunked) this.end();
    else this.reset();
  }

  reset(): void {
    // A reset makes the kernel free the bytes that it holds for the reader. Only the TCP socket can be reset; a TLS
    // socket over it is closed with it.
    tcpSocketOf(this.outlet).resetAndDestroy();
  }

  cut(): void {
    this.outlet.destroy();
  }
}

/** Undocumented properties of a socket: the TCP socket below a TLS socket, and the handle (node:net, node:tls; Node 24 to 26). */
interface Inner {
  readonly _parent?: Socket | null;
  readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/** The TCP socket: with TLS, the socket below. */
export function tcpSocketOf(socket: Socket): Socket {
  return (socket as Socket & Inner)._parent ?? socket;
}

/**
 * Bytes that the kernel has not taken yet. Node's own count changes only when a whole write has left, so that a reader that
 * takes a large write at 1 KiB/s would look dead; the handle's count is exact. With TLS the bytes wait in both sockets.
 */
function unsentBytes(socket: Socket): number {
  const { _handle: handle, _parent: beneath } = socket as Socket & Inner;
  const own = handle?.writeQueueSize ?? socket.writableLength;
  if (beneath === undefined || beneath === null) return own;
  return own + ((beneath as Inner)._handle?.writeQueueSize ?? 0);
}
