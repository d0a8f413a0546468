import type { OutgoingHttpHeaders } from 'node:http';
import type { Http2ServerResponse, ServerHttp2Stream } from 'node:http2';
import type { FastifyReply } from 'fastify';
import { hasLeft } from '../http/has-left.ts';
import { detachSocket } from '../stream/detach-socket.ts';
import { Http2Wire } from '../stream/http2-wire.ts';
import { SocketWire, tcpSocketOf } from '../stream/socket-wire.ts';
import { lastAnswerHead } from '../stream/stream-head.ts';
import type { HeaderFields } from '../stream/stream-head.ts';
import type { Wire } from '../stream/wire.ts';
import { hasEnded } from '../tcp/socket-connection.ts';

/**
 * A reply that may come much later. While it is held, only the socket is kept, or the stream of HTTP/2: the request, the
 * response and the parser of a waiting client would take more memory than everything else. A connection of HTTP/1.1 that was
 * held ends with its answer.
 */
export class HeldReply {
  /** Called once, when the client has left before the answer. */
  onLeft: () => void = () => undefined;
  #reply: FastifyReply | undefined;
  #wire: Wire | undefined;
  /** Of a held reply. */
  #headers: HeaderFields = {};
  #http2: ServerHttp2Stream | undefined;
  readonly #stallTimeout: number;

  /** @param stallTimeout a client that takes nothing of the answer for this many ms is cut off */
  constructor(reply: FastifyReply, stallTimeout: number) {
    reply.hijack();
    this.#reply = reply;
    this.#stallTimeout = stallTimeout;
    reply.raw.once('close', this.#left);
  }

  /** Whether the client left before this object was made. */
  get isOver(): boolean {
    return this.#reply === undefined || hasLeft(this.#reply);
  }

  /** Lets go of everything but the wire. Does nothing while the reply waits for the answer to an earlier request. */
  hold(): void {
    const reply = this.#reply;
    if (reply === undefined) return;
    const { raw } = reply;
    const wire = reply.request.raw.httpVersionMajor === 2 ? this.#holdHttp2(reply) : this.#holdSocket(reply);
    if (wire === undefined) return;
    raw.off('close', this.#left);
    this.#headers = reply.getHeaders();
    this.#reply = undefined;
    this.#wire = wire;
    wire.listen(() => undefined, this.#left);
  }

  /** Sends the whole answer. `headers` has its length. */
  answer(status: number, headers: HeaderFields, body: readonly (string | Buffer)[]): void {
    const reply = this.#reply;
    if (reply === undefined) {
      this.#answerHeld(status, headers, body);
      return;
    }
    const { raw } = reply;
    raw.off('close', this.#left);
    raw.writeHead(status, { ...reply.getHeaders(), ...headers } as OutgoingHttpHeaders);
    for (const part of body) raw.write(part);
    raw.setTimeout(this.#stallTimeout, () => raw.destroy());
    raw.end();
  }

  /** Ends the request without an answer. */
  cut(): void {
    this.#reply?.raw.destroy();
    this.#wire?.cut();
  }

  readonly #left = (): void => this.onLeft();

  #holdHttp2({ raw }: FastifyReply): Wire | undefined {
    const { stream } = raw as unknown as Http2ServerResponse;
    const { session } = stream;
    if (stream.destroyed || session === undefined) return undefined;
    this.#http2 = stream;
    return new Http2Wire(stream, tcpSocketOf(session.socket));
  }

  #holdSocket({ raw }: FastifyReply): Wire | undefined {
    const { socket } = raw;
    if (socket === null || socket.destroyed || hasEnded(socket)) return undefined;
    if (!detachSocket(socket, raw)) return undefined;
    socket.on('end', destroyThis);
    socket.setTimeout(0);
    return new SocketWire(socket, false);
  }

  #answerHeld(status: number, headers: HeaderFields, body: readonly (string | Buffer)[]): void {
    const wire = this.#wire;
    // A stream of HTTP/2 that the client has reset throws when it is given a head. Its 'close' comes a little later.
    if (wire === undefined || this.#http2?.closed === true || this.#http2?.destroyed === true) return;
    const all = { ...this.#headers, ...headers };
    const { outlet } = wire;
    outlet.cork();
    if (this.#http2 !== undefined) this.#http2.respond({ ...all, ':status': status });
    else outlet.write(lastAnswerHead(status, all), 'latin1');
    for (const part of body) outlet.write(part);
    outlet.uncork();
    wire.end();
  }
}

/** All held sockets share this listener. */
function destroyThis(this: { destroy(): void }): void {
  this.destroy();
}
