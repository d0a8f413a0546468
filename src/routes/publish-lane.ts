import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { ListeningSockets } from '../http/listening-sockets.ts';
import type { ClientConnection } from '../tcp/client-connection.ts';
import { SocketConnection, endReading } from '../tcp/socket-connection.ts';
import { TcpConnection } from '../tcp/tcp-connection.ts';
import { TcpParts } from '../tcp/tcp-parts.ts';
import { tcpBinding } from '../tcp/tcp-handle.ts';
import type { TcpHandle } from '../tcp/tcp-handle.ts';
import { FIRST_REQUEST_MS, LaneConnection } from './lane-connection.ts';
import type { LaneContext } from './lane-context.ts';
import { PublishAnswers } from './publish-answers.ts';

export type PublishLaneOptions = Omit<LaneContext, 'answers' | 'all' | 'handOver'>;

/**
 * A fast way to the {@link Publisher} for plain publishes over persistent connections, the most frequent requests of a busy
 * broker. The lane reads a request from one buffer and writes one answer. Node's HTTP server takes four times as long. The lane
 * also opens plain streams (`routes/stream-lane`).
 *
 * Every new connection begins in the lane. When a request is not a plain publish that the publisher can append, and no stream
 * that can open at once, the lane hands the connection with all received bytes to the HTTP server, and does not get it back.
 * Such a request has another path, an unknown credential, an unusual header, or an invalid body. The lane hands over before the
 * publisher counts or traces the request, so no request is counted or traced twice. When the publisher refuses a request later,
 * for example because of a rate, the lane answers with the same text as the HTTP server.
 */
export class PublishLane {
  readonly #connections = new Set<LaneConnection>();
  readonly #sweep: NodeJS.Timeout;
  readonly #context: LaneContext;
  readonly #parts: TcpParts | undefined;
  /** Makes a socket of a handle that the lane has taken, and emits it as a new connection of the server. */
  #giveBack: ((handle: TcpHandle) => void) | undefined;
  /** Set while a connection is given back. */
  #returning: { socket: Socket | undefined } | undefined;
  #closing = false;

  constructor(server: Server, options: PublishLaneOptions) {
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    const serve = (socket: Socket): void => {
      for (const listener of listeners) listener.call(server, socket);
    };
    const binding = tcpBinding();
    this.#parts = binding && new TcpParts(binding);
    this.#context = {
      ...options,
      answers: new PublishAnswers(),
      all: this.#connections,
      handOver: (client, received, ended) => {
        if (client instanceof TcpConnection) return this.#return(client, received, ended);
        const socket = (client as SocketConnection).release();
        serve(socket);
        if (socket.isPaused()) socket.resume();
        if (received !== undefined) socket.emit('data', received);
        if (ended) socket.emit('end');
      },
    };
    server.on('connection', (socket) => {
      if (this.#returning !== undefined) this.#returning.socket = socket;
      if (this.#closing || this.#returning !== undefined) serve(socket);
      else this.#enter(new SocketConnection(socket));
    });
    this.#sweep = setInterval(() => this.#sweepIdle(), FIRST_REQUEST_MS);
    this.#sweep.unref();
  }

  /**
   * Takes connections as the kernel accepts them, without `node:net` between them. Does nothing where Node does not give its
   * handles away: connections then come as sockets.
   */
  listenTo(sockets: Pick<ListeningSockets, 'takeHandles'>): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    this.#giveBack = sockets.takeHandles((handle, gone) => {
      if (this.#closing) return false;
      this.#enter(new TcpConnection(handle, parts, gone));
      return true;
    });
  }

  /** Ends each connection after its current answer. New connections go to the HTTP server. */
  close(): void {
    this.#closing = true;
    clearInterval(this.#sweep);
    for (const connection of this.#connections) connection.close();
  }

  /** Cuts all open connections. A connection whose client does not close its half would keep the server from closing. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  #enter(client: ClientConnection): void {
    this.#connections.add(new LaneConnection(client, this.#context));
  }

  #return(client: TcpConnection, received: Buffer | undefined, ended: boolean): void {
    if (client.destroyed) return;
    const returning: { socket: Socket | undefined } = { socket: undefined };
    this.#returning = returning;
    try {
      client.release((handle) => this.#giveBack?.(handle));
    } finally {
      this.#returning = undefined;
    }
    const { socket } = returning;
    if (socket === undefined) return;
    // A FIN that has been read does not come again. The socket emits 'end' after this turn.
    if (ended) endReading(socket);
    if (received !== undefined) socket.emit('data', received);
  }

  #sweepIdle(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.checkAge(now);
  }
}
