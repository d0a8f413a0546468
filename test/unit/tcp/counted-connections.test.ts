import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { ListeningSockets } from '../../../src/http/listening-sockets.ts';
import { TcpConnection } from '../../../src/tcp/tcp-connection.ts';
import { TcpParts } from '../../../src/tcp/tcp-parts.ts';
import { tcpBinding } from '../../../src/tcp/tcp-handle.ts';

test('the close of a server waits until a slow reader has the last bytes of a taken connection', async () => {
  const binding = tcpBinding();
  if (binding === undefined) throw new Error('This Node gives no handles.');
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = new Promise<TcpConnection>((resolve) => {
    new ListeningSockets(server).takeHandles((handle, gone) => {
      resolve(new TcpConnection(handle, new TcpParts(binding), gone));
      return true;
    });
  });
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  const connection = await accepted;
  connection.write(Buffer.alloc(16 * 1024 * 1024));
  connection.endSoon();
  let received = 0;
  const before = once(server, 'close').then(() => received);
  server.close();
  reader.on('data', (bytes: Buffer) => (received += bytes.length));
  reader.resume();
  // What the kernel had not taken at the close has left.
  expect(await before).toBeGreaterThan(4 * 1024 * 1024);
  await once(reader, 'close');
  expect(received).toBe(16 * 1024 * 1024);
});
