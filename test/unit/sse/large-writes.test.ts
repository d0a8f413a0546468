import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/core/channel-name.ts';
import { FairLoop } from '../../../src/core/fair-loop.ts';
import { SocketWire } from '../../../src/sse/socket-wire.ts';
import { SseConnection } from '../../../src/sse/sse-connection.ts';

const sockets: Socket[] = [];
const LARGE = Buffer.alloc(16 * 1024 * 1024, 'abcdefg');

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** A stream over a real socket, and its reader, which does not read yet. */
async function open(): Promise<{ stream: SseConnection; socket: Socket; reader: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  reader.pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  sockets.push(reader, socket);
  const context = { pulse: { now: 0 }, loop: new FairLoop() };
  const stream = new SseConnection(new SocketWire(socket), context, {
    expiry: { at: Infinity, reason: 'aged' },
    channel: parseChannelName('news'),
    holder: undefined,
  });
  return { stream, socket, reader };
}

async function read(reader: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reader as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= length) break;
  }
  return Buffer.concat(chunks);
}

test('of a large write only a piece waits in the socket, and all of it arrives', async () => {
  const { stream, socket, reader } = await open();
  stream.write(LARGE);
  expect(stream.writable).toBe(false);
  expect(stream.bufferedBytes).toBeGreaterThan(1024 * 1024);
  expect(socket.writableLength).toBeLessThanOrEqual(64 * 1024);
  let most = 0;
  socket.on('drain', () => {
    most = Math.max(most, socket.writableLength);
  });
  const writable = new Promise<void>((resolve) => {
    stream.onWritable = resolve;
  });
  const received = read(reader, LARGE.length);
  await writable;
  expect(most).toBeLessThanOrEqual(64 * 1024);
  expect((await received).equals(LARGE)).toBe(true);
});

test('what is written behind it, and its end, come behind all of it', async () => {
  const { stream, reader } = await open();
  stream.write(LARGE);
  stream.write(Buffer.from('behind'));
  stream.end('drained', 500);
  const received = (await read(reader, Infinity)).toString('latin1', LARGE.length - 7);
  expect(received.slice(7)).toBe('behind');
});
