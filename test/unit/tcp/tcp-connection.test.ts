import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ListeningSockets } from '../../../src/http/listening-sockets.ts';
import type { ConnectionListener } from '../../../src/tcp/client-connection.ts';
import { TcpConnection, TcpParts } from '../../../src/tcp/tcp-connection.ts';
import { tcpBinding } from '../../../src/tcp/tcp-handle.ts';
import type { TcpBinding, TcpHandle } from '../../../src/tcp/tcp-handle.ts';

const parts = new TcpParts(tcpBinding() as TcpBinding);

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** What a connection said, and a promise for each kind. */
class Notes implements ConnectionListener {
  readonly said: string[] = [];
  readonly #waiting = new Map<string, () => void>();

  onData(bytes: Buffer): void {
    this.#note('data', bytes.toString());
  }
  onEnd(): void {
    this.#note('end');
  }
  onDrain(): void {
    this.#note('drain');
  }
  onClose(): void {
    this.#note('close');
  }

  /** Resolves once this has happened. */
  async next(kind: string): Promise<void> {
    if (this.said.some((what) => what.startsWith(kind))) return;
    await new Promise<void>((resolve) => this.#waiting.set(kind, resolve));
  }

  #note(kind: string, text = ''): void {
    this.said.push(`${kind} ${text}`.trim());
    this.#waiting.get(kind)?.();
  }
}

/** A server whose connections come as handles, and one client of it. */
async function connected(): Promise<{
  client: Socket;
  connection: TcpConnection;
  notes: Notes;
  giveBack: (handle: TcpHandle) => void;
}> {
  const server = createHttpServer((request, response) => response.end(`served ${request.url}`));
  const sockets = new ListeningSockets(server);
  await sockets.listen(
    async (options) => {
      server.listen(options);
      await once(server, 'listening');
      return '';
    },
    { port: 0, host: '127.0.0.1', backlog: 16 },
  );
  const notes = new Notes();
  let giveBack: ((handle: TcpHandle) => void) | undefined;
  const taken = new Promise<TcpConnection>((resolve) => {
    giveBack = sockets.takeHandles((handle) => {
      const connection = new TcpConnection(handle, parts);
      connection.listener = notes;
      closing.push(() => connection.destroy());
      resolve(connection);
      return true;
    });
  });
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  client.on('error', () => undefined);
  closing.push(() => {
    client.destroy();
    server.close();
    void sockets.close();
  });
  return { client, connection: await taken, notes, giveBack: giveBack as (handle: TcpHandle) => void };
}

async function readAll(client: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of client) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe('a connection on a handle', () => {
  test('brings what the client sends, its FIN, and the close', async () => {
    const { client, connection, notes } = await connected();
    client.write('hello');
    await notes.next('data');
    expect(connection.remoteAddress).toBe('127.0.0.1');
    client.end();
    await notes.next('end');
    expect(connection.writable).toBe(true);
    connection.write('bye');
    connection.end();
    expect(await readAll(client)).toBe('bye');
    await notes.next('close');
    expect(notes.said).toEqual(['data hello', 'end', 'close']);
  });

  test('joins what was written while it was corked, texts and bytes in order', async () => {
    const { client, connection } = await connected();
    connection.cork();
    connection.write('ä');
    connection.cork();
    connection.write(Buffer.from('-bytes-'));
    connection.write('\xe9', 'latin1');
    connection.uncork();
    expect(connection.writableLength).toBeGreaterThan(0);
    connection.uncork();
    connection.endSoon();
    client.setEncoding('latin1');
    let all = '';
    for await (const chunk of client) all += String(chunk);
    expect(all).toBe(`${Buffer.from('ä').toString('latin1')}-bytes-\xe9`);
  });

  test('says what waits for a reader that does not read, and when all has left', async () => {
    const { client, connection, notes } = await connected();
    client.pause();
    const block = Buffer.alloc(1024 * 1024, 'x');
    let written = 0;
    for (let goesOn = true; goesOn; written++) goesOn = connection.write(block);
    const waiting = connection.writableLength;
    expect(waiting).toBeGreaterThan(0);
    const drained = notes.next('drain');
    client.resume();
    let received = 0;
    client.on('data', (chunk: Buffer) => (received += chunk.length));
    await drained;
    expect(connection.writableLength).toBe(0);
    const ended = once(client, 'end');
    connection.endSoon();
    await ended;
    expect(received).toBe(written * block.length);
    expect(notes.said.filter((what) => what === 'close').length).toBeLessThanOrEqual(1);
  });

  test('closes once when the client resets it, and writes nothing after that', async () => {
    const { client, connection, notes } = await connected();
    client.resetAndDestroy();
    await notes.next('close');
    expect([
      connection.destroyed,
      connection.writable,
      connection.write('x'),
      connection.writableLength,
    ]).toEqual([true, false, false, 0]);
    connection.destroy();
    connection.reset();
    connection.end();
    expect(notes.said).toEqual(['close']);
  });

  test('resets the client, whose bytes then do not wait in the kernel', async () => {
    const { client, connection } = await connected();
    const failed = once(client, 'error').catch((error: unknown) => [error]);
    connection.reset();
    expect(await failed).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
  });

  test('is given to the HTTP server, with its bytes and with those that come later', async () => {
    const { client, connection, notes, giveBack } = await connected();
    client.write('GET /given HTTP/1.1\r\nHost: a\r\n');
    await notes.next('data');
    giveBack(connection.release());
    client.write('Connection: close\r\n\r\n');
    // The first half went to the listener, so the server sees an incomplete request, and says so.
    expect(await readAll(client)).toMatch(/^HTTP\/1\.1 400 /);
    expect(notes.said).toEqual(['data GET /given HTTP/1.1\r\nHost: a']);
  });
});
