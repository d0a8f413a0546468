import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ListeningSockets } from '../../../src/http/listening-sockets.ts';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Listening {
  readonly server: Server;
  readonly sockets: ListeningSockets;
  readonly port: number;
}

async function listen(port = 0): Promise<Listening> {
  const server = createServer((_request, response) => void response.end('here'));
  const sockets = new ListeningSockets(server);
  cleanUps.push(() => {
    server.closeAllConnections();
    server.close();
    return sockets.close();
  });
  await sockets.listen(
    async (options) => {
      server.listen(options);
      await once(server, 'listening');
      return `http://${options.host}`;
    },
    { port, host: '127.0.0.1', backlog: 1_000 },
  );
  return { server, sockets, port: (server.address() as AddressInfo).port };
}

test.runIf(process.platform === 'linux')(
  'the broker accepts several connections in a turn of the event loop',
  async () => {
    const { server, port } = await listen();
    let accepted = 0;
    let turns = 0;
    const all = new Promise<void>((resolve) => {
      server.on('connection', () => {
        if (++accepted === 400) resolve();
      });
    });
    const clients: Socket[] = Array.from({ length: 400 }, () => connect(port, '127.0.0.1'));
    cleanUps.push(() => clients.forEach((client) => client.destroy()));
    const count = (): void => {
      turns++;
      if (accepted < 400) setImmediate(count);
    };
    count();
    await all;
    // A single listening socket needs at least 400 turns.
    expect(turns).toBeLessThan(200);
  },
);

test('a second server on the same port is refused, as with a single socket', async () => {
  const { port } = await listen();
  await expect(listen(port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('every connection is answered, and none is accepted after closing', async () => {
  const { server, sockets, port } = await listen();
  const answers = await Promise.all(
    Array.from({ length: 100 }, async () => (await fetch(`http://127.0.0.1:${port}/`)).text()),
  );
  expect(new Set(answers)).toEqual(new Set(['here']));
  server.close();
  const closed = sockets.close();
  server.closeAllConnections();
  await closed;
  const late = connect(port, '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});
