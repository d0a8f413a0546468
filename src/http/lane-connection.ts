import type { Socket } from 'node:net';
import type { Access } from '../auth/access.ts';
import { parseChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import type { FairLoop } from '../core/fair-loop.ts';
import type { TracedRequest } from '../core/request-tracer.ts';
import type { Publication } from '../publish/publication.ts';
import type { PublishAnswer, Publisher } from '../publish/publisher.ts';
import type { RateHeaders } from '../publish/publish-limiter.ts';
import { forwardedClientAddress } from './client-address.ts';
import type { DateHeader } from './date-header.ts';
import { noProgress, readPlainPublish } from './plain-publish.ts';
import type { PlainHead, PlainPublish } from './plain-publish.ts';
import { STATUS, UNFORESEEN, brokerErrorOf, rawProblem } from './problem.ts';
import { ReceivedBytes } from './received-bytes.ts';

/** A connection that takes longer for a request, in ms, is handed to the HTTP server, which has time-outs for all of it. */
export const FIRST_REQUEST_MS = 1_000;

/** How a request begins that opens a stream. */
const SUBSCRIBE = Buffer.from('GET /events');

/** A peer that went away is noticed by 'close'. */
function ignore(): void {}

/** What all connections of a lane share. */
export interface LaneContext {
  readonly publisher: Pick<Publisher, 'begin' | 'known' | 'read' | 'refusalOf'>;
  /** Whether an address is one of SLUICE_TRUSTED_PROXIES. */
  readonly trusts: (address: string) => boolean;
  /** Of a request line and the headers together, in bytes. */
  readonly maxHeaderBytes: number;
  /** Of a body, in bytes. */
  readonly maxBodyBytes: number;
  /** How long a connection is kept after an answer, in ms. */
  readonly keepAlive: number;
  readonly loop: Pick<FairLoop, 'add'>;
  /** Called with what nobody foresaw. */
  readonly onError: (error: unknown) => void;
  readonly date: DateHeader;
  /** The connections of the lane. */
  readonly all: Set<LaneConnection>;
  /** Gives the connection to the HTTP server. */
  readonly handOver: (socket: Socket) => void;
}

/** What a request that is answered here needs besides its head. */
interface Admissible {
  readonly access: Access;
  readonly publication: Publication;
}

/** A connection as long as it is in the lane: one request at a time, and the next one only when the answer is out. */
export class LaneConnection {
  readonly #socket: Socket;
  readonly #lane: LaneContext;
  /** `reading` a request, `answering` one, or `leaving` in its turn: until that is done, nothing more is read. */
  #state: 'reading' | 'answering' | 'leaving' = 'reading';
  /** What has come of a request, or behind one. */
  readonly #received = new ReceivedBytes();
  #progress = noProgress();
  /** The head of the request before, and what its credential allows. */
  #head: PlainHead | undefined;
  #access: Access | undefined;
  /** Of the client that sent {@link #head}; undefined until it is asked for. */
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
    if (this.#state === 'reading') this.#socket.end();
  }

  cut(): void {
    this.#socket.destroy();
  }

  /** Called once in {@link FIRST_REQUEST_MS}. */
  checkAge(now: number): void {
    const age = now - this.#since;
    if (this.#state === 'reading' && (this.#received.bytes !== undefined || this.#head === undefined)) {
      if (age >= FIRST_REQUEST_MS) this.#leave();
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
    const admissible = request === 'unusual' ? undefined : this.#check(request);
    if (request === 'unusual' || admissible === undefined) {
      if (bytes.subarray(0, SUBSCRIBE.length).equals(SUBSCRIBE)) this.#leaveInTurn();
      else this.#leave();
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

  /** Undefined for what the HTTP server will refuse. Counts nothing. */
  #check({ head, body }: PlainPublish): Admissible | undefined {
    const { publisher, maxBodyBytes } = this.#lane;
    const access = this.#accessOf(head);
    if (access === undefined || head.bodyLength > maxBodyBytes) return undefined;
    try {
      const channel = head.channel === undefined ? undefined : parseChannelName(head.channel);
      const publication = publisher.read({ channel, type: undefined, bytes: body });
      const refusal = publisher.refusalOf(access, publication.channel);
      return refusal === undefined ? { access, publication } : undefined;
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  #accessOf(head: PlainHead): Access | undefined {
    // A connection brings the same key again and again, and a key stays good. A token may expire between two requests.
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
      status = STATUS[(said ?? UNFORESEEN).code];
      text = rawProblem(said ?? UNFORESEEN, this.#closing, headerLines(attempt.rateHeaders));
    }
    attempt.end(this.#socket.writable ? status : undefined);
    this.#answer(text);
  }

  /** Past Node's HTTP server: head and text leave as one string. */
  #success({ json, replayed }: PublishAnswer, rateHeaders: RateHeaders | undefined): string {
    // Neither a channel name nor an id takes more than a byte a character.
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
      // The proxy that is nearest adds to the end.
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

/** Each ends in CRLF. */
function headerLines(headers: RateHeaders | undefined): string {
  if (headers === undefined) return '';
  return `RateLimit-Policy: ${headers['ratelimit-policy']}\r\nRateLimit: ${headers.ratelimit}\r\n`;
}
