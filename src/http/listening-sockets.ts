import { once } from 'node:events';
import type { Server } from 'node:http';
import { createServer } from 'node:net';
import type { Server as NetServer, Socket } from 'node:net';

/**
 * Listening sockets on one port. libuv accepts one connection from each of them in a turn of the event loop, and a turn in
 * which thousands are written to takes some 10 ms: with a single socket, thousands who come back at once, and the probe
 * behind them, would wait for a turn each.
 */
const SOCKETS = 16;

/** What a server of Node keeps of the options for its connections (node:net, Node 24 to 26). */
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
  /** Connections that may wait to be accepted, at each of the sockets. */
  readonly backlog: number;
}

/** The `listen` of a Fastify server; gives its URL. */
type Listen = (options: ListenTo & { readonly reusePort?: boolean }) => Promise<string>;

/**
 * Has a server listen on several sockets of one port (SO_REUSEPORT, socket(7)): the kernel spreads new connections over
 * them. Where the system has no such thing, there is one.
 */
export class ListeningSockets {
  readonly #server: Server;
  readonly #others: NetServer[] = [];

  constructor(server: Server) {
    this.#server = server;
  }

  /** @throws Error `EADDRINUSE` as ever, also when it is another broker of this user that listens */
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

  /** No new connections over the others; resolves when those that came over them are gone. The server closes its own. */
  async close(): Promise<void> {
    await Promise.all(
      this.#others.map((other) => new Promise<void>((resolve) => other.close(() => resolve()))),
    );
  }

  /** One that hands what it accepts to the server, as if that had accepted it. */
  #another(): NetServer {
    const server = this.#server;
    const { allowHalfOpen, noDelay, keepAlive, keepAliveInitialDelay } = server as unknown as SocketOptions;
    return createServer(
      // The server has its delay in seconds and is given it in ms.
      { allowHalfOpen, noDelay, keepAlive, keepAliveInitialDelay: keepAliveInitialDelay * 1_000 },
      (socket: Socket) => server.emit('connection', socket),
    );
  }
}

/** Sockets that share a port all say so; one that does not shows whether there is any. */
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
