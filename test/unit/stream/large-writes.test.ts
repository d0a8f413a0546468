import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { EventRun } from '../../../src/events/event-run.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import { asChunk } from '../../../src/stream/shared-bytes.ts';
import { SocketWire } from '../../../src/stream/socket-wire.ts';
import { SseConnection } from '../../../src/stream/sse-connection.ts';

const sockets: Socket[] = [];
const DATA = 'abcdefg'.repeat(2 * 1024 * 1024);
const TEXT = frame(DATA);
const BEHIND = frame('behind');
const END = /^retry: 500\nevent: sluice:closing\ndata: \{"reason":"draining","retry":500\}\n\n$/;

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** Opens a stream over a real socket; its reader is paused. */
async function open(chunked: boolean): Promise<{ stream: SseConnection; socket: Socket; reader: Socket }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1');
  reader.pause();
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  sockets.push(reader, socket);
  const context = { pulse: { now: 0 }, loop: new FairLoop() };
  const stream = new SseConnection(new SocketWire(socket, chunked), context, {
    expiry: { at: Infinity, reason: 'aged' },
    channels: parseChannelName('news'),
    holder: undefined,
    heartbeatEvents: false,
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

function frame(data: string): string {
  return `id: 0-0\ndata: ${data}\n\n`;
}

function runOf(...data: readonly string[]): EventRun {
  const events = data.map((text) => ({ id: ORIGIN, prev: ORIGIN, record: Buffer.from(`1\n\n${text}`) }));
  return new EventRun(ORIGIN, events);
}

/** The end of a longer run. The end alone is no chunk. */
function endOfRun(data: string): EventRun {
  return runOf('before', data).without(1);
}

describe.each<[string, boolean, EventRun, string]>([
  ['as it is', false, runOf(DATA), TEXT],
  ['as a chunk that is one buffer', true, runOf(DATA), asChunk(TEXT)],
  ['as a chunk whose head and end are written for themselves', true, endOfRun(DATA), asChunk(TEXT)],
])('a large write, %s', (_how, chunked, run, wire) => {
  test('goes to the socket in pieces, and all of it arrives', async () => {
    const { stream, socket, reader } = await open(chunked);
    stream.deliver(run);
    expect(stream.writable).toBe(false);
    expect(stream.bufferedBytes).toBeGreaterThan(1024 * 1024);
    // One piece, and the head of the chunk.
    expect(socket.writableLength).toBeLessThan(65 * 1024);
    let most = 0;
    socket.on('drain', () => {
      most = Math.max(most, socket.writableLength);
    });
    const writable = new Promise<void>((resolve) => {
      stream.source = { cursor: undefined, resume: resolve };
    });
    const received = read(reader, wire.length);
    await writable;
    expect(most).toBeLessThan(65 * 1024);
    expect((await received).equals(Buffer.from(wire))).toBe(true);
  });

  test('keeps later writes, and the end of the stream, behind it', async () => {
    const { stream, reader } = await open(chunked);
    stream.deliver(run);
    stream.deliver(endOfRun('behind'));
    stream.end('drained', 500);
    const received = await read(reader, Infinity);
    expect(received.subarray(0, wire.length).equals(Buffer.from(wire))).toBe(true);
    const rest = received.toString('latin1', wire.length);
    const behind = chunked ? asChunk(BEHIND) : BEHIND;
    expect(rest.slice(0, behind.length)).toBe(behind);
    const end = rest.slice(behind.length);
    if (chunked) {
      const [, said = '', last] = /^[0-9a-f]+\r\n(.*)\r\n(0\r\n\r\n)$/s.exec(end) ?? [];
      expect(`${asChunk(said)}${last}`).toBe(end);
      expect(said).toMatch(END);
    } else {
      expect(end).toMatch(END);
    }
  });
});

test('small chunks with separate head and end are sent at once, and the stream stays writable', async () => {
  const { stream, reader } = await open(true);
  for (const text of ['a', 'b', 'c']) {
    stream.deliver(endOfRun(text));
    expect(stream.writable).toBe(true);
  }
  const wire = ['a', 'b', 'c'].map((text) => asChunk(frame(text))).join('');
  expect((await read(reader, wire.length)).toString()).toBe(wire);
});
