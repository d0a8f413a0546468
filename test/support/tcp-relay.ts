import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

/** Relays a connection to a server on this machine, and can fail like a network. */
export interface TcpRelay {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** How many connections it has accepted so far. */
  readonly accepted: number;
  /** Resets every connection on both sides; new connections are accepted. */
  cut(): void;
  /** Resets every new connection, until {@link mend}. */
  breakDown(): void;
  mend(): void;
  /**
   * Drops everything without a sign, as a network that drops packets: no byte, no FIN and no RST passes. New
   * connections are accepted and drop everything too.
   */
  goDumb(): void;
  /** Open connections keep dropping everything for ever; new connections work. */
  abandonOpen(): void;
  /** Sends what was held up, as TCP would retransmit it. */
  speakAgain(): void;
  close(): Promise<void>;
}

/** The server of a new connection. */
interface RelayTarget {
  readonly host: string;
  readonly port: number;
}

/**
 * Relays to a port of 127.0.0.1, or to the server that `target` returns for each new connection. Close it in
 * `afterAll`.
 */
export async function startTcpRelay(target: number | (() => RelayTarget)): Promise<TcpRelay> {
  const open = new Set<Socket>();
  let broken = false;
  let dumb = false;
  let accepted = 0;
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // After a cut, both sides report an error that the test expects.
    socket.on('error', () => undefined);
  };
  const pipes = new Set<readonly [Socket, Socket]>();
  const untold = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (inner) => {
    keep(inner);
    if (broken) {
      inner.resetAndDestroy();
      return;
    }
    accepted++;
    const outer = connect({
      ...(typeof target === 'number' ? { port: target, host: '127.0.0.1' } : target()),
      allowHalfOpen: true,
    });
    keep(outer);
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      from.pipe(to);
      from.on('close', () => {
        if (dumb) untold.add(to);
        else to.destroy();
      });
      if (dumb) from.unpipe().pause();
      pipes.add([from, to]);
      from.on('close', () => pipes.forEach((pipe) => pipe[0] === from && pipes.delete(pipe)));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  const cut = (): void => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${address.port}`,
    get accepted() {
      return accepted;
    },
    cut,
    breakDown() {
      broken = true;
      cut();
    },
    mend() {
      broken = false;
    },
    goDumb() {
      dumb = true;
      for (const [from] of pipes) from.unpipe().pause();
    },
    abandonOpen() {
      for (const [from] of pipes) from.unpipe().pause();
      pipes.clear();
    },
    speakAgain() {
      dumb = false;
      for (const [from, to] of pipes) from.pipe(to);
      for (const socket of untold) socket.destroy();
      untold.clear();
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
