import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { DateHeader, FIRST_REQUEST_MS, LaneConnection } from './lane-connection.ts';
import type { LaneContext } from './lane-connection.ts';

export type PublishLaneOptions = Omit<LaneContext, 'date' | 'all' | 'handOver'>;

/**
 * A short way to the {@link Publisher} for what a busy broker gets most: publishes over connections that stay. Node's HTTP
 * server costs some four times what is done for such a request here, where one buffer comes in and one goes out.
 *
 * Every new connection comes here first. The lane hands it to the HTTP server, for good and with all the bytes that came,
 * when a request is not a plain publish that may be appended: another path, a credential that is not known, a header
 * that needs thought, a body that is refused. The hand-over comes before the publisher counts the request or begins a
 * span for it, so no request is counted or traced twice. What the publisher refuses later, such as a publish beyond a
 * rate, is answered here in the words of the HTTP server.
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

  /** Ends each connection once its answer is out. New connections go to the HTTP server. */
  close(): void {
    this.#closing = true;
    clearInterval(this.#sweep);
    for (const connection of this.#connections) connection.close();
  }

  /** Cuts the connections that are still open, even if the peer keeps its half: a server closes only after its connections. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  #sweepIdle(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.checkAge(now);
  }
}
