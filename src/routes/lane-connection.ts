import type { Socket } from 'node:net';
import type { Access } from '../auth/access.ts';
import { parseChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { TracedRequest } from '../publish/request-tracer.ts';
import type { Publication } from '../publish/publication.ts';
import type { PublishAnswer } from '../publish/publish-answer.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { RateHeaders } from '../publish/publish-limiter.ts';
import { forwardedClientAddress } from '../http/client-address.ts';
import type { DateHeader } from '../http/date-header.ts';
import { noProgress, readPlainPublish } from './plain-publish.ts';
import type { PlainHead, PlainPublish } from './plain-publish.ts';
import { readPlainSubscribe } from './plain-subscribe.ts';
import type { PlainSubscribe } from './plain-subscribe.ts';
import type { StreamLane } from './stream-lane.ts';
import { STATUS, UNEXPECTED, brokerErrorOf, rawProblem } from '../http/problem.ts';
import { ReceivedBytes } from '../http/received-bytes.ts';

/** A connection that takes longer than this for a request, in ms, is handed to the HTTP server, which has the time-outs. */
export const FIRST_REQUEST_MS = 1_000;

/** The first bytes of requests that open a stream or a long poll. */
const SUBSCRIBES = /^GET \/(?:events|channels\/)/;

/** The first byte of a GET. */
const LETTER_G = 0x47;

/** Handles 'error'. A 'close' follows each error of a socket. */
function ignore(): void {}

/** The parts that all connections of a lane share. */
export interface LaneContext {
  readonly publisher: Pick<Publisher, 'begin' | 'known' | 'read' | 'refusalOf'>;
  readonly streams: Pick<StreamLane, 'admit' | 'open'>;
  /** Whether an address is in SLUICE_TRUSTED_PROXIES. */
  readonly trusts: (address: string) => boolean;
  /** The limit for request line and headers together, in bytes. */
  readonly maxHeaderBytes: number;
  /** The limit for a body, in bytes. */
  readonly maxBodyBytes: number;
  /** How long a connection may be idle after an answer, in ms. */
  readonly keepAlive: number;
  readonly loop: Pick<FairLoop, 'add'>;
  /** Called with errors that are not BrokerErrors. */
  readonly onError: (error: unknown) => void;
  readonly date: DateHeader;
  /** The connections of the lane. */
  readonly all: Set<LaneConnection>;
  /** Hands the connection to the HTTP server. */
  readonly handOver: (socket: Socket) => void;
}

/** The access and the publication of a request that the lane answers itself. */
interface Admissible {
  readonly access: Access;
  readonly publication: Publication;
}

/** A connection while it is in the lane. Its requests are answered one after the other. */
export class LaneConnection {
  readonly #socket: Socket;
  readonly #lane: LaneContext;
  /** `reading` or `answering` a request, or `leaving`: waiting for its turn to be handed over. Reads only while `reading`. */
  #state: 'reading' | 'answering' | 'leaving' = 'reading';
  /** The bytes of the next request that have arrived. */
  readonly #received = new ReceivedBytes();
  #progress = noProgress();
  /** The head of the previous request, and what its credential allows. */
  #head: PlainHead | undefined;
  #access: Access | undefined;
  /** The address of the client that sent {@link #head}; undefined until it is needed. */
  #address: string | undefined;
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
    if (this.#state !== 'reading') return;
    // The HTTP server lets a request that has begun finish.
    if (this.#received.bytes === undefined) this.#socket.end();
    else this.#leave();
  }

  cut(): void {
    this.#socket.destroy();
  }

  /** Called every {@link FIRST_REQUEST_MS}. */
  checkAge(now: number): void {
    const age = now - this.#since;
    if (this.#state === 'reading' && (this.#received.bytes !== undefined || this.#head === undefined)) {
      if (age >= FIRST_REQUEST_MS) this.#leave();
    } else if (age >= this.#lane.keepAlive) {
      this.#socket.destroy();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    // A publish that cannot be answered any more would be published again by its publisher.
    if (!this.#socket.writable) return;
    this.#received.add(chunk);
    if (this.#state === 'reading') this.#read();
    // A pipelined request waits for the answer to the previous one. At most one chunk of it is read.
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
    if (bytes[0] === LETTER_G) return this.#readSubscribe(bytes);
    const request = readPlainPublish(bytes, this.#lane.maxHeaderBytes, this.#head, this.#progress);
    if (request === 'incomplete') return;
    const admissible = request === 'unusual' ? undefined : this.#check(request);
    if (request === 'unusual' || admissible === undefined) {
      this.#leave();
      return;
    }
    const { head } = request;
    if (head !== this.#head) this.#address = undefined;
    this.#head = head;
    this.#access = admissible.access;
    this.#received.clear();
    this.#progress = noProgress();
    this.#state = 'answering';
    this.#since = performance.now();
    void this.#publish(head, admissible);
  }

  #readSubscribe(bytes: Buffer): void {
    const request = readPlainSubscribe(bytes, this.#lane.maxHeaderBytes, this.#progress);
    if (request === 'incomplete') return;
    if (request !== 'unusual') this.#leaveInTurn(request);
    else if (SUBSCRIBES.test(bytes.toString('latin1', 0, 14))) this.#leaveInTurn();
    else this.#leave();
  }

  /** Returns undefined for a request that the HTTP server will refuse. Counts nothing. */
  #check({ head, body }: PlainPublish): Admissible | undefined {
    const { publisher, maxBodyBytes } = this.#lane;
    const access = this.#accessOf(head);
    if (access === undefined || head.bodyLength > maxBodyBytes) return undefined;
    try {
      const channel = head.channel === undefined ? undefined : parseChannelName(head.channel);
      const publication = publisher.read({ channel, type: undefined, bytes: body });
      if (publication.channels !== undefined) return undefined;
      const refusal = publisher.refusalOf(access, publication.channel);
      return refusal === undefined ? { access, publication } : undefined;
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  #accessOf(head: PlainHead): Access | undefined {
    // A publish key stays valid, so the same key is not checked again. A token may expire between two requests.
    return this.#access?.kind === 'publish-key' && head.credential === this.#head?.credential
      ? this.#access
      : this.#lane.publisher.known(head.credential);
  }

  async #publish(head: PlainHead, { access, publication }: Admissible): Promise<void> {
    const { publisher, trusts } = this.#lane;
    this.#address ??= forwardedClientAddress(this.#socket.remoteAddress, head.forwardedFor, trusts);
    const attempt = publisher.begin(() => this.#described(head));
    let status = 200;
    let text: string;
    try {
      const admitted = attempt.admitKnown(access, head.credential, this.#address);
      const refusal = admitted instanceof Promise ? await admitted : admitted;
      if (refusal !== undefined) throw refusal;
      text = this.#success(await attempt.publish(publication, head.idempotencyKey), attempt.rateHeaders);
    } catch (error) {
      const said = brokerErrorOf(error);
      if (said === undefined) this.#lane.onError(error);
      status = STATUS[(said ?? UNEXPECTED).code];
      text = rawProblem(said ?? UNEXPECTED, this.#closing, headerLines(attempt.rateHeaders));
    }
    attempt.end(this.#socket.writable ? status : undefined);
    this.#answer(text);
  }

  /** Head and body are one string, so they leave in one write. */
  #success({ json, replayed }: PublishAnswer, rateHeaders: RateHeaders | undefined): string {
    // The JSON is ASCII, so its length is its size in bytes.
    return (
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${json.length}\r\nX-Content-Type-Options: nosniff\r\n` +
      `${headerLines(rateHeaders)}${replayed ? 'Idempotent-Replayed: true\r\n' : ''}Date: ${this.#lane.date.value}\r\n` +
      `${this.#closing ? 'Connection: close' : 'Connection: keep-alive'}\r\n\r\n${json}`
    );
  }

  #described({ channel, forwardedProto, traceparent, tracestate }: PlainHead): TracedRequest {
    const { remoteAddress = '' } = this.#socket;
    const proxied = forwardedProto !== undefined && this.#lane.trusts(remoteAddress);
    return {
      method: 'POST',
      // The nearest proxy adds its value at the end.
      scheme: (proxied && forwardedProto.split(',').at(-1)?.trim()) || 'http',
      route: channel === undefined ? '/publish' : '/publish/:channel',
      path: channel === undefined ? '/publish' : `/publish/${channel}`,
      traceparent,
      tracestate,
    };
  }

  #answer(text: string): void {
    const socket = this.#socket;
    if (!socket.writable) return;
    const flushed = socket.write(text);
    if (this.#closing || this.#ended) socket.end();
    else if (flushed) this.#next();
    // Nothing is read from a client that does not read its answers.
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
   * Opens a stream, or hands the connection over, in a slice of the loop. Thousands of subscribers may connect in one turn of the
   * event loop, and opening their streams takes some tenths of a second. Other requests, such as health checks, do not wait for
   * all of them.
   */
  #leaveInTurn(request?: PlainSubscribe): void {
    this.#state = 'leaving';
    this.#lane.loop.add({
      run: () => {
        if (this.#socket.destroyed || (request !== undefined && this.#open(request))) return false;
        if (this.#socket.isPaused()) this.#socket.resume();
        this.#leave();
        return false;
      },
    });
  }

  /** False when the HTTP server has to answer. */
  #open(request: PlainSubscribe): boolean {
    // More has arrived behind the request, or the client's FIN.
    if (this.#closing || this.#ended || this.#received.bytes?.length !== request.length) return false;
    const admitted = this.#lane.streams.admit(request, this.#socket.remoteAddress);
    if (admitted === undefined) return false;
    this.#letGo();
    this.#lane.streams.open(this.#socket, admitted);
    return true;
  }

  /** Hands the connection to the HTTP server, which then receives the bytes that have arrived. */
  #leave(): void {
    const socket = this.#socket;
    const received = this.#received.bytes;
    this.#letGo();
    this.#lane.handOver(socket);
    if (received !== undefined) socket.emit('data', received);
    if (this.#ended) socket.emit('end');
  }

  /** The connection is no longer in the lane. */
  #letGo(): void {
    const socket = this.#socket;
    this.#lane.all.delete(this);
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('error', ignore);
  }
}

/** Returns header lines, each ending in CRLF. */
function headerLines(headers: RateHeaders | undefined): string {
  if (headers === undefined) return '';
  return `RateLimit-Policy: ${headers['ratelimit-policy']}\r\nRateLimit: ${headers.ratelimit}\r\n`;
}
