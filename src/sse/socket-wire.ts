import type { Socket } from 'node:net';
import { LINGER } from './wire.ts';
import type { Wire } from './wire.ts';

/** A stream with a connection of its own, over TLS or not, which ends with it: HTTP/1.1, or 1.0, which knows no chunks. */
export class SocketWire implements Wire {
  readonly outlet: Socket;
  readonly chunked: boolean;

  constructor(socket: Socket, chunked: boolean) {
    this.outlet = socket;
    this.chunked = chunked;
  }

  listen(onDrain: () => void, onClose: () => void): void {
    this.outlet.on('drain', onDrain);
    this.outlet.once('close', onClose);
    // The error itself is of no use: "the reader left" has many names. 'close' follows it.
    this.outlet.on('error', () => undefined);
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
    if (socket.writableLength > 0) socket.setTimeout(LINGER, () => socket.destroy());
  }

  reset(): void {
    // So that the kernel gives back what it holds for a reader that takes nothing. Only TCP can be reset; what encrypts
    // for it goes with it.
    tcpSocketOf(this.outlet).resetAndDestroy();
  }

  cut(): void {
    this.outlet.destroy();
  }
}

/** What a socket keeps of the one that it encrypts for, and of its handle (node:net, node:tls; Node 24 to 26). */
interface Inner {
  readonly _parent?: Socket | null;
  readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/** The TCP socket itself: where there is TLS, the one beneath. */
export function tcpSocketOf(socket: Socket): Socket {
  return (socket as Socket & Inner)._parent ?? socket;
}

/**
 * Node counts a write as waiting until the whole of it has left; a reader that takes 1 KiB/s of a large one would look
 * dead. The handle knows what the kernel has taken so far: with TLS, the one beneath, after what is being encrypted.
 */
function unsentBytes(socket: Socket): number {
  const { _handle: handle, _parent: beneath } = socket as Socket & Inner;
  const own = handle?.writeQueueSize ?? socket.writableLength;
  if (beneath === undefined || beneath === null) return own;
  return own + ((beneath as Inner)._handle?.writeQueueSize ?? 0);
}
