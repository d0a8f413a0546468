import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { PublishKeys } from '../auth/publish-keys.ts';
import type { ChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import type { EventId } from '../core/event.ts';
import type { FairLoop } from '../core/fair-loop.ts';
import type { Hub } from '../core/hub.ts';
import { DateHeader } from './date-header.ts';
import { noProgress, readPlainPublish } from './plain-publish.ts';
import type { PlainHead, PlainPublish } from './plain-publish.ts';
import { UNFORESEEN, brokerErrorOf, rawProblem } from './problem.ts';
import { acknowledgement } from './publication.ts';
import type { Publication } from './publication.ts';
import { ReceivedBytes } from './received-bytes.ts';

export interface PublishLaneOptions {
  readonly hub: Pick<Hub, 'publish'>;
  readonly keys: Pick<PublishKeys, 'accepts'>;
  /** Of a request line and the headers together, in bytes. */
  readonly maxHeaderBytes: number;
  /** Of a body, in bytes. */
  readonly maxBodyBytes: number;
  /** How long a connection is kept after an answer, in ms. */
  readonly keepAlive: number;
  readonly loop: Pick<FairLoop, 'add'>;
  /** Called with what nobody foresaw. */
  readonly onError: (error: unknown) => void;
}

/** A connection whose first request has not come in so many ms is the HTTP server's, which has time-outs for all of it. */
const PATIENCE = 1_000;

/** How a request begins that opens a stream. */
const SUBSCRIBE = Buffer.from('GET /events');

/** A peer that went away is noticed by 'close'. */
function ignore(): void {}

/**
 * A lane of its own for what a busy broker gets most: publishes with a publish key, over connections that stay. Node's
 * HTTP server costs some four times what is done for such a request here, where one buffer comes in and one goes out.
 *
 * Every new connection comes here first. It is handed to the HTTP server, with all that has been read and for good, as
 * soon as it brings anything but a plain publish that is right in every way: another path, an unknown key, a header that
 * needs thought, a body that is refused. So there is one place that says no, and the lane can only be left out.
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
    this.#sweep = setInterval(() => this.#look(), PATIENCE);
    this.#sweep.unref();
  }

  /** Ends the connections once their answers are out. New ones are the HTTP server's. */
  close(): void {
    this.#closing = true;
    clearInterval(this.#sweep);
    for (const connection of this.#connections) connection.close();
  }

  /** Cuts what is still open, also where the peer keeps its half: the server is closed only when all connections are. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  #look(): void {
    const now = performance.now();
    for (const connection of this.#connections) connection.look(now);
  }
}

/** What all connections of a lane share. */
interface LaneContext extends PublishLaneOptions {
  readonly date: DateHeader;
  readonly all: Set<LaneConnection>;
  readonly handOver: (socket: Socket) => void;
}

class LaneConnection {
  readonly #socket: Socket;
  readonly #lane: LaneContext;
  /** `reading` a request, `answering` one, or `leaving` in its turn: until that is done, nothing more is read. */
  #state: 'reading' | 'answering' | 'leaving' = 'reading';
  /** What has come of a request, or behind one. */
  readonly #received = new ReceivedBytes();
  #progress = noProgress();
  /** Of the request before, whose credential was accepted. */
  #head: PlainHead | undefined;
  #since = performance.now();
  #ended = false;
  #closing = false;

  constructor(socket: Socket, lane: LaneContext) {
    this.#socket = socket;
    this.#lane = lane;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', ignore);
  }

  close(): void {
    this.#closing = true;
    if (this.#state === 'reading') this.#socket.end();
  }

  cut(): void {
    this.#socket.destroy();
  }

  /** Called now and then. */
  look(now: number): void {
    const age = now - this.#since;
    if (this.#state === 'reading' && (this.#received.bytes !== undefined || this.#head === undefined)) {
      if (age >= PATIENCE) this.#leave();
    } else if (age >= this.#lane.keepAlive) {
      this.#socket.destroy();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received.add(chunk);
    if (this.#state === 'reading') this.#read();
    // Pipelined: it waits here for the answer to the request before, and there is no more than a read of it.
    else this.#socket.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#state === 'reading') this.#leave();
  };

  readonly #onClose = (): void => {
    this.#lane.all.delete(this);
  };

  #read(): void {
    const { bytes } = this.#received;
    if (bytes === undefined) return;
    const request = readPlainPublish(bytes, this.#lane.maxHeaderBytes, this.#head, this.#progress);
    if (request === 'incomplete') return;
    const publication = request === 'unusual' ? undefined : this.#check(request);
    if (request === 'unusual' || publication === undefined) {
      if (bytes.subarray(0, SUBSCRIBE.length).equals(SUBSCRIBE)) this.#leaveInTurn();
      else this.#leave();
      return;
    }
    const { head } = request;
    this.#head = head;
    this.#received.clear();
    this.#progress = noProgress();
    this.#state = 'answering';
    this.#since = performance.now();
    const { channel, event } = publication;
    this.#lane.hub.publish(channel, event, { idempotencyKey: head.idempotencyKey }).then(
      ({ id, replayed }) => this.#answer(this.#acknowledge(channel, id, replayed)),
      (error: unknown) => this.#answer(this.#failure(error)),
    );
  }

  /** Undefined for what will be refused, elsewhere. */
  #check({ head, publication }: PlainPublish): Publication | undefined {
    // On one connection it is the same key again and again; that it is right has been found out in constant time.
    const known = head.credential === this.#head?.credential;
    if (!known && !this.#lane.keys.accepts(head.credential)) return undefined;
    const { maxBodyBytes } = this.#lane;
    if (head.bodyLength > maxBodyBytes) return undefined;
    try {
      return publication(maxBodyBytes);
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  #acknowledge(channel: ChannelName, id: EventId, replayed: boolean): string {
    try {
      return this.#success(acknowledgement(channel, id), replayed);
    } catch (error) {
      return this.#failure(error);
    }
  }

  /** Past Node's HTTP server: head and text leave as one string. */
  #success(json: string, replayed: boolean): string {
    // Neither a channel name nor an id takes more than a byte a character.
    return (
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\nX-Content-Type-Options: nosniff\r\n` +
      `${replayed ? 'Idempotent-Replayed: true\r\n' : ''}Date: ${this.#lane.date.value}\r\n` +
      `${this.#closing ? 'Connection: close' : 'Connection: keep-alive'}\r\n\r\n${json}`
    );
  }

  #failure(error: unknown): string {
    const known = brokerErrorOf(error);
    if (known === undefined) this.#lane.onError(error);
    return rawProblem(known ?? UNFORESEEN, this.#closing);
  }

  #answer(text: string): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    const flushed = socket.write(text);
    if (this.#closing || this.#ended) socket.end();
    else if (flushed) this.#next();
    // Who sends but does not read is not read from either.
    else socket.once('drain', this.#next);
  }

  readonly #next = (): void => {
    this.#state = 'reading';
    this.#since = performance.now();
    if (this.#received.bytes === undefined) return;
    this.#socket.resume();
    this.#read();
  };

  /**
   * When thousands come in one turn of the event loop, opening their streams takes some tenth of a second. So they are let in
   * in slices, and whoever wants something else, a probe above all, does not wait for all of them.
   */
  #leaveInTurn(): void {
    this.#state = 'leaving';
    this.#lane.loop.add({
      run: () => {
        if (this.#socket.destroyed) return false;
        if (this.#socket.isPaused()) this.#socket.resume();
        this.#leave();
        return false;
      },
    });
  }

  /** From here on the connection is the HTTP server's, as if all that it sent came only now. */
  #leave(): void {
    const socket = this.#socket;
    const received = this.#received.bytes;
    this.#lane.all.delete(this);
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('error', ignore);
    this.#lane.handOver(socket);
    if (received !== undefined) socket.emit('data', received);
    if (this.#ended) socket.emit('end');
  }
}
