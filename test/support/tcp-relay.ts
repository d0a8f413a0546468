import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

/** Stands between a client and a server on this machine as a network does, and fails like one. */
export interface TcpRelay {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Resets every connection, on both sides; new ones are accepted. */
  cut(): void;
  /** From here on new connections are reset, until {@link mend}. */
  breakDown(): void;
  mend(): void;
  /**
   * From here on nothing passes, and nobody is told: no byte, no FIN, no RST, as when packets are dropped. New
   * connections are accepted and as dumb.
   */
  goDumb(): void;
  /** Those that are open now stay dumb for ever; new ones work. */
  abandonOpen(): void;
  /** What was held up passes again, as TCP would send it anew. */
  speakAgain(): void;
  close(): Promise<void>;
}

/** Relays to `port` of 127.0.0.1; close it in `afterAll`. */
export async function startTcpRelay(port: number): Promise<TcpRelay> {
  const open = new Set<Socket>();
  let broken = false;
  let dumb = false;
  let accepted = 0;
  const keep = (socket: Socket): void => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    // Both sides of a cut connection say so; that it is cut is known.
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
    const outer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
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
