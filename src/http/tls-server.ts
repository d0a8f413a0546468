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
import { tcpSocketOf } from '../sse/socket-wire.ts';
import { LINGER_MS } from '../sse/wire.ts';
import { Deadlines } from './deadlines.ts';
import { Http2Bodies } from './http2-bodies.ts';

/** A certificate, with its chain, and its key, in PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface TlsServerOptions {
  /** Of a request line and the headers together, about. */
  readonly maxHeaderBytes: number;
  /** How long the first of these may take to arrive from when the connection is made, in ms, TLS included. */
  readonly headTimeout: number;
  /** How late it may be noticed that a request takes too long, in ms. */
  readonly latestNotice: number;
  /** How long a request may take to arrive, in ms. */
  readonly requestTimeout: number;
  /** How long a connection without a request stays open, in ms. */
  readonly keepAliveTimeout: number;
  /** Something took longer than it may, and is being refused or cut off. */
  readonly onSlow: (address: string | undefined) => void;
}

/** What is known of a connection. */
interface Connection {
  readonly socket: Socket;
  /** Once the handshake is done. */
  secure: TLSSocket | undefined;
  /** Where it speaks HTTP/2. */
  session: ServerHttp2Session | undefined;
  /** Requests of the session that are under way: streams. */
  streams: number;
}

export type Http2RequestListener = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** Streams that one connection may have: all that a browser or a proxy of many asks for, and a bound. */
const MAX_STREAMS = 1_000;

/** HTTP/2 and HTTP/1.1 over TLS on one port; which of them, the client says (ALPN, RFC 7301). */
export class TlsServer {
  /** By the TCP socket beneath. */
  readonly #connections = new Map<Socket, Connection>();
  #identity: TlsIdentity;
  #server: Http2SecureServer | undefined;

  constructor(identity: TlsIdentity) {
    this.#identity = identity;
  }

  create(listener: Http2RequestListener, options: TlsServerOptions): Http2SecureServer {
    const { maxHeaderBytes, headTimeout, requestTimeout, latestNotice, keepAliveTimeout, onSlow } = options;
    // Node gives a session no time for its first request, and begins its idle time anew with every byte that it sends.
    const first = new Deadlines<Connection>(headTimeout, (connection) => this.#refuse(connection, onSlow));
    const idle = new Deadlines<Connection>(keepAliveTimeout, goAway);
    const bodies = new Http2Bodies(requestTimeout, onSlow);

    const settings = {
      ...this.#identity,
      allowHTTP1: true,
      // The time for the first head runs during the handshake, too, and ends before this one.
      handshakeTimeout: headTimeout + 2 * latestNotice,
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
    const server = createSecureServer(settings, (request, response) => {
      if (request.httpVersionMajor === 2) bodies.watch(request, response);
      else first.stop(this.#of(request.socket));
      listener(request, response);
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
    // First, because Node's own listener already reads what has come by then.
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
    // For an answer that nobody takes: a request that is late has been refused by then. First, so that a stream can call
    // it off.
    server.prependListener('stream', (stream: ServerHttp2Stream) => {
      stream.setTimeout(requestTimeout + 2 * latestNotice, () => stream.close(constants.NGHTTP2_CANCEL));
    });
    const timer = setInterval(() => {
      first.look();
      idle.look();
      bodies.look();
    }, latestNotice).unref();
    server.once('close', () => clearInterval(timer));
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

  /** Ends a connection on which no whole head of a request has come. */
  #refuse(connection: Connection, onSlow: TlsServerOptions['onSlow']): void {
    const { socket, secure, session } = connection;
    if (secure !== undefined && session === undefined) {
      // HTTP/1.1, which has an answer for this; whoever writes it counts it.
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

/** Ends a session without streams. A part of a head may have come by then, which nobody waits for. */
function goAway(connection: Connection): void {
  const { session, socket } = connection;
  session?.close();
  // Its end waits for all that was written to leave, which a dead connection never takes.
  setTimeout(() => connection.streams === 0 && socket.destroy(), LINGER_MS).unref();
}
