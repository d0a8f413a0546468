import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:net';
import type { Server as NetServer, Socket } from 'node:net';
import { isTcpHandle, listeningHandle } from '../tcp/tcp-handle.ts';
import type { ListeningHandle, TcpHandle } from '../tcp/tcp-handle.ts';

/**
 * How many sockets listen on one port. In each turn of the event loop, libuv accepts one connection from each listening socket. A
 * turn that writes to thousands of subscribers takes about 10 ms. With one socket, each of thousands of reconnecting clients
 * would wait for its own turn, and the health probe would wait behind them.
 */
const SOCKETS = 16;

/** The connection options that a Node server stores on itself (node:net, Node 24 to 26). */
interface SocketOptions {
  readonly allowHalfOpen: boolean;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  /** In seconds. */
  readonly keepAliveInitialDelay: number;
}

export interface ListenTo {
  readonly port: number;
  readonly host: string;
  /** How many connections may wait to be accepted, for each socket. */
  readonly backlog: number;
}

/** The `listen` of a Fastify server. Returns the server's URL. */
type Listen = (options: ListenTo & { readonly reusePort?: boolean }) => Promise<string>;

/**
 * Makes a server listen on several sockets of one port (SO_REUSEPORT, socket(7)). The kernel spreads new connections over them.
 * On a system without SO_REUSEPORT there is one socket.
 */
export class ListeningSockets {
  readonly #server: Server;
  readonly #others: NetServer[] = [];

  constructor(server: Server) {
    this.#server = server;
  }

  /** @throws Error `EADDRINUSE`, even when the port belongs to another broker of the same user */
  async listen(listen: Listen, { port, host, backlog }: ListenTo): Promise<string> {
    if (port !== 0) await expectFree(port, host);
    let url: string;
    try {
      url = await listen({ port, host, backlog, reusePort: true });
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      return await listen({ port, host, backlog });
    }
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return url;
    for (let i = 1; i < SOCKETS; i++) {
      const other = this.#another();
      this.#others.push(other);
      other.listen({ port: address.port, host, backlog, reusePort: true });
      await once(other, 'listening');
      other.on('error', (error) => this.#server.emit('error', error));
    }
    return url;
  }

  /**
   * Gives each accepted connection to `take` as a handle. Where that returns false, the connection becomes a socket as usual. To be
   * called when the sockets listen. The function that it returns makes a connection of the server of a handle that was taken.
   */
  takeHandles(
    take: (handle: TcpHandle, gone: () => void) => boolean,
  ): ((handle: TcpHandle) => void) | undefined {
    const first = listeningHandle(this.#server);
    if (first === undefined) return undefined;
    const { onconnection } = first;
    for (const server of [this.#server, ...this.#others]) {
      const listening = listeningHandle(server);
      if (listening !== undefined)
        takeConnections(listening, this.#server as unknown as SocketOptions, counted(server, take));
    }
    return (handle) => onconnection.call(first, undefined, handle);
  }

  /** Closes the additional sockets. Resolves when their connections are closed. The server closes its own socket itself. */
  async close(): Promise<void> {
    await Promise.all(
      this.#others.map((other) => new Promise<void>((resolve) => other.close(() => resolve()))),
    );
  }

  /** Makes a socket that hands accepted connections to the server, as if the server had accepted them. */
  #another(): NetServer {
    const server = this.#server;
    const { allowHalfOpen, noDelay, keepAlive, keepAliveInitialDelay } = server as unknown as SocketOptions;
    return createServer(
      // The server stores the delay in seconds, but the option is in ms.
      { allowHalfOpen, noDelay, keepAlive, keepAliveInitialDelay: keepAliveInitialDelay * 1_000 },
      (socket: Socket) => server.emit('connection', socket),
    );
  }
}

/** A server counts its connections, and its close waits for them (node:net, Node 22 to 26). */
interface Counting {
  _connections: number;
  _emitCloseIfDrained?: () => void;
}

/** Counts taken connections as the server counts its own, so that a shutdown waits until their last bytes have left. */
function counted(
  server: NetServer,
  take: (handle: TcpHandle, gone: () => void) => boolean,
): (handle: TcpHandle) => boolean {
  const counting = server as unknown as Counting;
  const gone = (): void => {
    counting._connections--;
    counting._emitCloseIfDrained?.();
  };
  return (handle) => {
    counting._connections++;
    if (take(handle, gone)) return true;
    counting._connections--;
    return false;
  };
}

function takeConnections(
  listening: ListeningHandle,
  { noDelay, keepAlive, keepAliveInitialDelay }: SocketOptions,
  take: (handle: TcpHandle) => boolean,
): void {
  const { onconnection } = listening;
  const prepare = (handle: Pick<ListeningHandle, 'setNoDelay' | 'setKeepAlive'>): void => {
    if (noDelay) handle.setNoDelay(true);
    if (keepAlive) handle.setKeepAlive(true, keepAliveInitialDelay);
  };
  // On Linux an accepted connection has the options of its listening socket: four system calls less for each.
  const inherits = process.platform === 'linux';
  if (inherits) prepare(listening);
  let isChecked = false;
  listening.onconnection = function (error, client) {
    if (error || client === undefined || !(isChecked || isTcpHandle(client))) {
      onconnection.call(this, error, client);
      return;
    }
    isChecked = true;
    if (!inherits) prepare(client);
    if (!take(client)) onconnection.call(this, error, client);
  };
}

/** Listens once without SO_REUSEPORT, which fails when another process listens on the port. */
async function expectFree(port: number, host: string): Promise<void> {
  const probe = createServer();
  probe.listen({ port, host, exclusive: true });
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}

function isUnsupported(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOTSUP' || code === 'EINVAL' || code === 'ENOPROTOOPT' || code === 'ENOSYS';
}
