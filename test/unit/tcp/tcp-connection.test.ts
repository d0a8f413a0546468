import { once } from 'node:events';
import { Socket, connect, createServer } from 'node:net';
import type { AddressInfo, Server, SocketConstructorOpts } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { NOBODY } from '../../../src/tcp/client-connection.ts';
import { TcpConnection } from '../../../src/tcp/tcp-connection.ts';
import { TcpParts } from '../../../src/tcp/tcp-parts.ts';
import { listeningHandle, tcpBinding } from '../../../src/tcp/tcp-handle.ts';

let server: Server;
let reader: Socket;
afterEach(() => {
  reader.destroy();
  server.close();
});

/** An accepted connection with what happened on it, and the client's end of it, which is paused. */
async function open(): Promise<{ connection: TcpConnection; happened: string[]; closed: Promise<void> }> {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const listening = listeningHandle(server);
  const binding = tcpBinding();
  if (listening === undefined || binding === undefined) throw new Error('This Node gives no handles.');
  const happened: string[] = [];
  const accepted = new Promise<TcpConnection>((resolve) => {
    listening.onconnection = (_error, handle) =>
      resolve(new TcpConnection(handle, new TcpParts(binding), () => happened.push('gone')));
  });
  reader = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  reader.on('error', () => undefined).pause();
  const connection = await accepted;
  const closed = new Promise<void>((resolve) => {
    connection.listener = {
      ...NOBODY,
      onDrain: () => happened.push('drain'),
      onEnd: () => {
        happened.push('end');
        connection.destroy();
      },
      onClose: () => {
        happened.push('close');
        resolve();
      },
    };
  });
  return { connection, happened, closed };
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader as AsyncIterable<Buffer>) chunks.push(chunk);
  reader.end();
  return Buffer.concat(chunks);
}

test('all that is written arrives once and in order, however late the client reads', async () => {
  const { connection, happened, closed } = await open();
  const parts: Buffer[] = [];
  let full = false;
  for (let i = 0; i < 3_000; i++) {
    const text = `${i} é ${'x'.repeat(i)}\n`;
    const encoding = i % 3 === 0 ? 'latin1' : undefined;
    parts.push(Buffer.from(text, encoding));
    full = !connection.write(i % 3 === 1 ? Buffer.from(text) : text, encoding) || full;
  }
  expect(full).toBe(true);
  expect(connection.writableLength).toBeGreaterThan(0);
  connection.endSoon();
  expect((await readAll()).equals(Buffer.concat(parts))).toBe(true);
  await closed;
  expect(happened.filter((event) => event === 'close')).toHaveLength(1);
});

test('parts of different kinds between cork and the end arrive, and nothing behind the end', async () => {
  const { connection, closed } = await open();
  connection.cork();
  connection.write('é', 'latin1');
  connection.write('é');
  connection.write(Buffer.alloc(8 * 1024 * 1024, 'x'));
  connection.endSoon();
  connection.uncork();
  expect(connection.write('never')).toBe(false);
  const received = await readAll();
  expect(received.subarray(0, 4).toString('latin1')).toBe('\u00E9\u00C3\u00A9x');
  expect(received).toHaveLength(8 * 1024 * 1024 + 3);
  await closed;
});

test.each<[string, () => void, readonly string[]]>([
  ['ends its half', () => reader.end(), ['end', 'gone', 'close']],
  ['resets', () => reader.resetAndDestroy(), ['gone', 'close']],
])('the connection closes once when the client %s, with bytes in flight', async (_how, leave, expected) => {
  const { connection, happened, closed } = await open();
  connection.write(Buffer.alloc(16 * 1024 * 1024));
  connection.write('behind');
  leave();
  await closed;
  connection.destroy();
  connection.reset();
  connection.endSoon();
  expect([connection.write('late'), connection.writableLength, connection.remoteAddress]).toEqual([
    false,
    0,
    undefined,
  ]);
  expect(happened).toEqual(expected);
});

test('a reset tells the client that the answer is not complete', async () => {
  const { connection, closed } = await open();
  const failed = once(reader, 'error');
  reader.resume();
  connection.write('half');
  connection.reset();
  await closed;
  expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
});

test('a socket that gets the handle reads bytes of its own, and the end', async () => {
  const { connection, happened } = await open();
  const early = new Promise<string>((resolve) => {
    connection.listener = { ...NOBODY, onData: (bytes) => resolve(bytes.toString()) };
  });
  reader.write('early');
  expect(await early).toBe('early');
  const socket = await new Promise<Socket>((resolve) =>
    connection.release((handle) => resolve(new Socket({ handle } as unknown as SocketConstructorOpts))),
  );
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  for (const text of ['first', 'second']) {
    reader.write(text);
    await once(socket, 'data');
  }
  reader.end();
  await once(socket, 'end');
  expect(chunks.map(String)).toEqual(['first', 'second']);
  expect(happened).toEqual(['gone']);
});
