import type { Access } from '../auth/access.ts';
import { parseChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { Publication } from '../publish/publication.ts';
import type { PublishAttempt } from '../publish/publish-attempt.ts';
import type { PublishAnswer } from '../publish/publish-answer.ts';
import { forwardedClientAddress } from '../http/client-address.ts';
import type { LaneContext } from './lane-context.ts';
import { noProgress, readPlainPublish } from './plain-publish.ts';
import type { PlainHead, PlainPublish } from './plain-publish.ts';
import { headerLines } from './publish-answers.ts';
import { bytesOf, readPlainSubscribe } from './plain-subscribe.ts';
import type { PlainSubscribe } from './plain-subscribe.ts';
import { tracedPublish } from './traced-publish.ts';
import { STATUS, UNEXPECTED, brokerErrorOf, rawProblem } from '../http/problem.ts';
import { ReceivedBytes } from '../http/received-bytes.ts';
import type { ClientConnection, ConnectionListener } from '../tcp/client-connection.ts';

/** A connection that takes longer than this for a request, in ms, is handed to the HTTP server, which has the time-outs. */
export const FIRST_REQUEST_MS = 1_000;

/** The first bytes of requests that open a stream or a long poll. */
const SUBSCRIBES = /^GET \/(?:events|channels\/)/;

/** The first byte of a GET. */
const LETTER_G = 0x47;

/** The access and the publication of a request that the lane answers itself. */
interface Admissible {
  readonly access: Access;
  readonly publication: Publication;
}

/** A connection while it is in the lane. Its requests are answered one after the other. */
export class LaneConnection implements ConnectionListener {
  readonly #client: ClientConnection;
  readonly #lane: LaneContext;
  /**
   * `reading` or `answering` a request, `draining`: the client has not taken its answer, or `leaving`: waiting for its turn to be
   * handed over. Reads only while `reading`.
   */
  #state: 'reading' | 'answering' | 'draining' | 'leaving' = 'reading';
  /** The bytes of the next request that have arrived. */
  readonly #received = new ReceivedBytes();
  #progress = noProgress();
  /** A plain subscription that waits for its turn. Its bytes are kept as a text, and not in {@link #received}: few are needed again. */
  #asked: PlainSubscribe | undefined;
  /** The head of the previous request, and what its credential allows. */
  #head: PlainHead | undefined;
  #access: Access | undefined;
  /** The address of the client that sent {@link #head}; undefined until it is needed. */
  #address: string | undefined;
  #since = performance.now();
  #ended = false;
  #closing = false;

  constructor(client: ClientConnection, lane: LaneContext) {
    this.#client = client;
    this.#lane = lane;
    client.listener = this;
  }

  close(): void {
    this.#closing = true;
    if (this.#state !== 'reading') return;
    // The HTTP server lets a request that has begun finish.
    if (this.#received.bytes === undefined) this.#client.end();
    else this.#leave();
  }

  cut(): void {
    this.#client.destroy();
  }

  /** Called every {@link FIRST_REQUEST_MS}. */
  checkAge(now: number): void {
    const age = now - this.#since;
    if (this.#state === 'reading' && (this.#received.bytes !== undefined || this.#head === undefined)) {
      if (age >= FIRST_REQUEST_MS) this.#leave();
    } else if (age >= this.#lane.keepAlive) {
      this.#client.destroy();
    }
  }

  onData(chunk: Buffer): void {
    // A publish that cannot be answered any more would be published again by its publisher.
    if (!this.#client.writable) return;
    // In the usual case the chunk is a whole request, and nothing of it is kept.
    if (this.#state === 'reading' && this.#received.bytes === undefined) return this.#read(chunk);
    this.#keepAsked();
    this.#received.add(chunk);
    if (this.#state === 'reading') this.#readReceived();
    // A pipelined request waits for the answer to the previous one. At most one chunk of it is read.
    else this.#client.pause();
  }

  onEnd(): void {
    this.#ended = true;
    if (this.#state === 'reading') this.#leave();
  }

  /** The client has taken its answer. */
  onDrain(): void {
    if (this.#state === 'draining') this.#next();
  }

  onClose(): void {
    this.#lane.all.delete(this);
  }

  #readReceived(): void {
    const { bytes } = this.#received;
    if (bytes !== undefined) this.#read(bytes);
  }

  /** @param bytes all that have arrived; those of a request that the lane does not answer at once are kept */
  #read(bytes: Buffer): void {
    if (bytes[0] === LETTER_G) return this.#readSubscribe(bytes);
    const request = readPlainPublish(bytes, this.#lane.maxHeaderBytes, this.#head, this.#progress);
    const admissible = typeof request === 'string' ? undefined : this.#check(request);
    if (typeof request === 'string' || admissible === undefined) {
      this.#keep(bytes);
      if (request !== 'incomplete') this.#leave();
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
    this.#publish(head, admissible);
  }

  #keep(bytes: Buffer): void {
    if (this.#received.bytes === undefined) this.#received.add(bytes);
  }

  #keepAsked(): void {
    if (this.#asked === undefined) return;
    this.#received.add(bytesOf(this.#asked));
    this.#asked = undefined;
  }

  #readSubscribe(bytes: Buffer): void {
    const request = readPlainSubscribe(bytes, this.#lane.maxHeaderBytes, this.#progress);
    if (typeof request === 'object') {
      this.#received.clear();
      this.#asked = request;
      this.#leaveInTurn();
      return;
    }
    this.#keep(bytes);
    if (request === 'incomplete') return;
    if (SUBSCRIBES.test(bytes.toString('latin1', 0, 14))) this.#leaveInTurn();
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

  #publish(head: PlainHead, { access, publication }: Admissible): void {
    this.#address ??= forwardedClientAddress(
      this.#client.remoteAddress,
      head.forwardedFor,
      this.#lane.trusts,
    );
    const attempt = this.#begin(head);
    const refusal = attempt.admitKnown(access, head.credential, this.#address);
    const answer =
      refusal === undefined
        ? attempt.publish(publication, head.idempotencyKey)
        : this.#publishAdmitted(attempt, publication, head, refusal);
    // The log in memory has appended by now. The answer then leaves in the turn in which the request came.
    if (answer instanceof Promise) void this.#answerLater(attempt, answer);
    else this.#succeed(attempt, answer);
  }

  #begin(head: PlainHead): PublishAttempt {
    const { publisher, trusts } = this.#lane;
    if (!publisher.isTraced) return publisher.begin();
    return publisher.begin(() => tracedPublish(head, this.#client.remoteAddress ?? '', trusts));
  }

  /** Publishes once the request is counted, unless that refuses it. */
  async #publishAdmitted(
    attempt: PublishAttempt,
    publication: Publication,
    head: PlainHead,
    counted: BrokerError | Promise<BrokerError | undefined>,
  ): Promise<PublishAnswer> {
    const refusal = await counted;
    if (refusal !== undefined) throw refusal;
    return await attempt.publish(publication, head.idempotencyKey);
  }

  async #answerLater(attempt: PublishAttempt, pending: Promise<PublishAnswer>): Promise<void> {
    let answer: PublishAnswer;
    try {
      answer = await pending;
    } catch (error) {
      this.#refuse(attempt, error);
      return;
    }
    this.#succeed(attempt, answer);
  }

  #succeed(attempt: PublishAttempt, answer: PublishAnswer): void {
    attempt.end(this.#client.writable ? 200 : undefined);
    this.#answer(this.#lane.answers.textOf(answer, attempt.rateHeaders, this.#closing), 'latin1');
  }

  #refuse(attempt: PublishAttempt, error: unknown): void {
    const said = brokerErrorOf(error);
    if (said === undefined) this.#lane.onError(error);
    const problem = said ?? UNEXPECTED;
    attempt.end(this.#client.writable ? STATUS[problem.code] : undefined);
    this.#answer(rawProblem(problem, this.#closing, headerLines(attempt.rateHeaders)));
  }

  #answer(text: string, encoding?: 'latin1'): void {
    const client = this.#client;
    if (!client.writable) return;
    const flushed = client.write(text, encoding);
    if (this.#closing || this.#ended) client.end();
    else if (flushed) this.#next();
    // Nothing is read from a client that does not read its answers.
    else this.#state = 'draining';
  }

  #next(): void {
    this.#state = 'reading';
    this.#since = performance.now();
    if (this.#received.bytes === undefined) return;
    this.#client.resume();
    this.#readReceived();
  }

  /**
   * Opens a stream, or hands the connection over, in a slice of the loop. Thousands of subscribers may connect in one turn of the
   * event loop, and opening their streams takes some tenths of a second. Other requests, such as health checks, do not wait for
   * all of them.
   */
  #leaveInTurn(): void {
    this.#state = 'leaving';
    this.#lane.loop.addOpening({
      run: () => {
        if (!this.#client.destroyed && !this.#open()) this.#leave();
        return false;
      },
    });
  }

  /** False when the HTTP server has to answer. */
  #open(): boolean {
    const request = this.#asked;
    // There is no request here when more has arrived behind it.
    if (request === undefined || this.#closing || this.#ended) return false;
    const admitted = this.#lane.streams.admit(request, this.#client.remoteAddress);
    if (admitted === undefined) return false;
    this.#lane.all.delete(this);
    this.#lane.streams.open(this.#client, admitted);
    return true;
  }

  /** Hands the connection to the HTTP server. */
  #leave(): void {
    this.#keepAsked();
    this.#lane.all.delete(this);
    this.#lane.handOver(this.#client, this.#received.bytes, this.#ended);
  }
}
