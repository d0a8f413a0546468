import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** Opens a subscription on a bare socket that is paused. Resolves once the request was sent. */
export async function openIdleSocket(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.pause();
  // The tests check how such a stream ends with the event 'close'.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  await new Promise<void>((resolve) =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: sluice\r\n\r\n`, () => resolve()),
  );
  return socket;
}

/**
 * Reads until `text` has arrived, then closes the socket; returns everything that arrived. `pause` makes a slow reader:
 * it waits that many ms after each chunk.
 */
export async function readUntil(socket: Socket, text: string, pause = 0): Promise<string> {
  const chunks: Buffer[] = [];
  let end = '';
  socket.resume();
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    // The text may arrive in two chunks.
    end = end.slice(-text.length) + chunk.toString('latin1');
    if (end.includes(text)) break;
    if (pause > 0) await delay(pause);
  }
  return Buffer.concat(chunks).toString();
}
