import { constants, createSecureServer } from 'node:http2';
import type {
  Http2SecureServer,
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { tcpSocketOf } from '../stream/socket-wire.ts';
import { LINGER_MS } from '../stream/wire.ts';
import { Deadlines } from './deadlines.ts';
import { Http2Bodies } from './http2-bodies.ts';

/** A certificate with its chain, and its private key, in PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface TlsServerOptions {
  /** The approximate limit for the request line and headers together. */
  readonly maxHeaderBytes: number;
  /** In ms, from the start of the connection and with the TLS handshake: when the first request head must have arrived. */
  readonly headTimeout: number;
  /** How often late requests are looked for, in ms. A late request is refused up to this much later. */
  readonly checkInterval: number;
  /** How long a request may take to arrive, in ms. */
  readonly requestTimeout: number;
  /** How long a connection without a request stays open, in ms. */
  readonly keepAliveTimeout: number;
  /** Called when a late request or connection is refused or cut off. */
  readonly onSlow: (address: string | undefined) => void;
}

interface Connection {
  readonly socket: Socket;
  /** Set after the TLS handshake. */
  secure: TLSSocket | undefined;
  /** Set for HTTP/2. */
  session: ServerHttp2Session | undefined;
  /** How many HTTP/2 streams (requests) are open. */
  streams: number;
}

export type Http2RequestListener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** How many streams one HTTP/2 connection may have. This is enough for a proxy that carries many clients. */
const MAX_STREAMS = 1_000;

/** Serves HTTP/2 and HTTP/1.1 over TLS on one port. The client chooses by ALPN (RFC 7301). */
export class TlsServer {
  /** By the TCP socket below TLS. */
  readonly #connections = new Map<Socket, Connection>();
  #identity: TlsIdentity;
  #server: Http2SecureServer | undefined;

  constructor(identity: TlsIdentity) {
    this.#identity = identity;
  }

  create(listener: Http2RequestListener, options: TlsServerOptions): Http2SecureServer {
    const { maxHeaderBytes, headTimeout, requestTimeout, checkInterval, keepAliveTimeout, onSlow } = options;
    // Node has no timeout for the first request of an HTTP/2 session, and restarts its idle timeout with every byte sent.
    const first = new Deadlines<Connection>(headTimeout, (connection) => this.#refuse(connection, onSlow));
    const idle = new Deadlines<Connection>(keepAliveTimeout, goAway);
    const bodies = new Http2Bodies(requestTimeout, onSlow);

    const settings = {
      ...this.#identity,
      allowHTTP1: true,
      // A backstop: the timeout for the first head includes the handshake and ends earlier.
      handshakeTimeout: headTimeout + 2 * checkInterval,
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes },
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 15_000,
    };
    const server = createSecureServer(settings, (request, response) => {
      if (request.httpVersionMajor === 2) bodies.watch(request, response);
      else first.stop(this.#of(request.socket));
      listener(request, response);
    });
    // For HTTP/1.1. Only from Node 26 on the server takes them as options.
    Object.assign(server, {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headTimeout,
      connectionsCheckingInterval: checkInterval,
      requestTimeout,
      keepAliveTimeout,
      requireHostHeader: false,
    });
    server.on('connection', (socket: Socket) => {
      const connection: Connection = { socket, secure: undefined, session: undefined, streams: 0 };
      this.#connections.set(socket, connection);
      first.start(connection);
      socket.once('close', () => {
        this.#connections.delete(socket);
        first.stop(connection);
        idle.stop(connection);
      });
    });
    // Runs before Node's own listener, which reads data that has already arrived.
    server.prependListener('secureConnection', (secure: TLSSocket) => {
      this.#of(secure).secure = secure;
    });
    server.on('session', (session) => {
      const connection = this.#of(session.socket);
      connection.session = session;
      session.on('stream', (stream: ServerHttp2Stream) => {
        first.stop(connection);
        idle.stop(connection);
        connection.streams++;
        stream.once('close', () => {
          if (--connection.streams === 0 && !connection.socket.destroyed) idle.start(connection);
        });
      });
    });
    // Ends an answer that the client does not read. Late requests have been refused before. Runs first, so that a stream of
    // events can remove the timeout.
    server.prependListener('stream', (stream: ServerHttp2Stream) => {
      stream.setTimeout(requestTimeout + 2 * checkInterval, () => stream.close(constants.NGHTTP2_CANCEL));
    });
    const timer = setInterval(() => {
      first.sweep();
      idle.sweep();
      bodies.sweep();
    }, checkInterval).unref();
    server.once('close', () => clearInterval(timer));
    this.#server = server;
    return server;
  }

  /** Uses the certificate for new connections. */
  renew(identity: TlsIdentity): void {
    this.#identity = identity;
    this.#server?.setSecureContext(identity);
  }

  /** Asks HTTP/2 clients to send further requests on another connection (GOAWAY). Open streams continue. */
  sendAway(): void {
    for (const { session } of this.#connections.values()) session?.close();
  }

  /** Cuts every connection. */
  closeAllConnections(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #of(socket: Socket): Connection {
    const tcp = tcpSocketOf(socket);
    return this.#connections.get(tcp) ?? { socket: tcp, secure: undefined, session: undefined, streams: 0 };
  }

  /** Ends a connection whose first request head did not arrive in time. */
  #refuse(connection: Connection, onSlow: TlsServerOptions['onSlow']): void {
    const { socket, secure, session } = connection;
    if (secure !== undefined && session === undefined) {
      // HTTP/1.1: the `clientError` handler sends a 408 and counts it.
      const error = Object.assign(new Error('Request timeout'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
      this.#server?.emit('clientError', error, secure);
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
      return;
    }
    onSlow(socket.remoteAddress);
    if (session === undefined) socket.destroy();
    else goAway(connection);
  }
}

/** Ends a session without streams, even if a part of a request head has arrived. */
function goAway(connection: Connection): void {
  const { session, socket } = connection;
  session?.close();
  // Its end waits for all that was written to leave, which a dead connection never takes.
  setTimeout(() => connection.streams === 0 && socket.destroy(), LINGER_MS).unref();
}
