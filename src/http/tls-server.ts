import { constants, createSecureServer } from 'node:http2';
import type {
  Http2SecureServer,
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { tcpSocketOf } from '../sse/socket-wire.ts';
import { LINGER } from '../sse/wire.ts';

/** A certificate, with its chain, and its key, in PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface TlsServerLimits {
  /** Of a request line and the headers together, about. */
  readonly maxHeaderBytes: number;
  /** How long these may take to arrive, in ms. */
  readonly headTimeout: number;
  /** How late it may be noticed that a request takes too long, in ms. */
  readonly latestNotice: number;
  /** How long a request may take to arrive, in ms. */
  readonly requestTimeout: number;
  /** How long a connection without a request stays open, in ms. */
  readonly keepAliveTimeout: number;
}

export type Http2RequestListener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Streams that one connection may have: all that a browser or a proxy of many asks for, and a bound. */
const MAX_STREAMS = 1_000;

/** HTTP/2 and HTTP/1.1 over TLS on one port; which of them, the client says (ALPN, RFC 7301). */
export class TlsServer {
  readonly #connections = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  #identity: TlsIdentity;
  #server: Http2SecureServer | undefined;

  constructor(identity: TlsIdentity) {
    this.#identity = identity;
  }

  create(listener: Http2RequestListener, limits: TlsServerLimits): Http2SecureServer {
    const { maxHeaderBytes, headTimeout, requestTimeout, latestNotice, keepAliveTimeout } = limits;
    const options = {
      ...this.#identity,
      allowHTTP1: true,
      handshakeTimeout: requestTimeout,
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes },
      // For HTTP/1.1, as Node takes them since 26; its types do not know them yet.
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headTimeout,
      connectionsCheckingInterval: latestNotice,
      requestTimeout,
      keepAliveTimeout,
      requireHostHeader: false,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
    };
    const server = createSecureServer(options, listener);
    server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    server.on('session', (session) => this.#take(session, keepAliveTimeout));
    // First, so that a stream can call it off.
    server.prependListener('stream', (stream: ServerHttp2Stream) => {
      stream.setTimeout(requestTimeout, () => stream.close(constants.NGHTTP2_CANCEL));
    });
    this.#server = server;
    return server;
  }

  /** For connections that are made from now on. */
  renew(identity: TlsIdentity): void {
    this.#identity = identity;
    this.#server?.setSecureContext(identity);
  }

  /** Asks HTTP/2 clients to make their next requests on another connection (GOAWAY); open streams stay. */
  sendAway(): void {
    for (const session of this.#sessions) session.close();
  }

  /** Cuts every connection. */
  closeAllConnections(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  #take(session: ServerHttp2Session, idle: number): void {
    const socket = tcpSocketOf(session.socket);
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.setTimeout(idle, () => {
      session.close();
      // Its end waits for all that was written to leave, which a dead connection never takes.
      setTimeout(() => session.destroyed && socket.destroy(), LINGER).unref();
    });
  }
}
