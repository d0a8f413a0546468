import type { Socket } from 'node:net';
import { NOBODY } from './client-connection.ts';
import type { ClientConnection, ConnectionListener } from './client-connection.ts';

/** A connection over `node:net`, where Node does not give its handles away. */
export class SocketConnection implements ClientConnection {
  readonly socket: Socket;
  listener: ConnectionListener = NOBODY;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
  }

  get remoteAddress(): string | undefined {
    return this.socket.remoteAddress;
  }

  get writable(): boolean {
    return this.socket.writable;
  }

  get destroyed(): boolean {
    return this.socket.destroyed;
  }

  write(text: string, encoding?: 'latin1'): boolean {
    return this.socket.write(text, encoding ?? 'utf8');
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    if (this.socket.isPaused()) this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Gives the socket away. */
  release(): Socket {
    const { socket } = this;
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('drain', this.#onDrain);
    socket.off('close', this.#onClose);
    socket.off('error', ignore);
    return socket;
  }

  readonly #onData = (bytes: Buffer): void => this.listener.onData(bytes);
  readonly #onEnd = (): void => this.listener.onEnd();
  readonly #onDrain = (): void => this.listener.onDrain();
  readonly #onClose = (): void => this.listener.onClose();
}

/** Handles 'error'. A 'close' follows each error of a socket. */
function ignore(): void {}

/** Sockets whose FIN was read before they were made. */
const ENDED = new WeakSet<Socket>();

/** Tells a new socket that the client has sent its FIN. */
export function endReading(socket: Socket): void {
  ENDED.add(socket);
  socket.push(null);
}

/** Whether the client has sent its FIN. */
export function hasEnded(socket: Socket): boolean {
  return !socket.readable || ENDED.has(socket);
}
