import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { DateHeader } from '../http/date-header.ts';
import { FIRST_REQUEST_MS, LaneConnection } from './lane-connection.ts';
import type { LaneContext } from './lane-connection.ts';

export type PublishLaneOptions = Omit<LaneContext, 'date' | 'all' | 'handOver'>;

/**
 * A fast way to the {@link Publisher} for plain publishes over persistent connections, the most frequent requests of a busy
 * broker. The lane reads a request from one buffer and writes one answer. Node's HTTP server takes four times as long. The lane
 * also opens plain streams (`routes/stream-lane`).
 *
 * Every new connection begins in the lane. When a request is not a plain publish that the publisher can append, and no stream
 * that can open at once, the lane hands the connection with all received bytes to the HTTP server, and does not get it back. Such a request has another path, an
 * unknown credential, an unusual header, or an invalid body. The lane hands over before the publisher counts or traces the
 * request, so no request is counted or traced twice. When the publisher refuses a request later, for example because of a rate,
 * the lane answers with the same text as the HTTP server.
 */
export class PublishLane {
  readonly #connections = new Set<LaneConnection>();
  readonly #sweep: NodeJS.Timeout;
  #closing = false;

  constructor(server: Server, options: PublishLaneOptions) {
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    const handOver = (socket: Socket): void => {
      for (const listener of listeners) listener.call(server, socket);
    };
    const context = { ...options, date: new DateHeader(), all: this.#connections, handOver };
    server.on('connection', (socket) => {
      if (this.#closing) handOver(socket);
      else this.#connections.add(new LaneConnection(socket, context));
    });
    this.#sweep = setInterval(() => this.#sweepIdle(), FIRST_REQUEST_MS);
    this.#sweep.unref();
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

  #sweepIdle(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.checkAge(now);
  }
}
