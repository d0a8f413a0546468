import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';

/**
 * A subscriber as a bare socket, which reads nothing until it is told to. Resolves once the request has left.
 */
export async function openIdleSocket(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.pause();
  // How such a stream ends is what the tests look at, and 'close' says it.
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  await new Promise<void>((resolve) =>
    socket.write(`GET ${path} HTTP/1.1\r\nHost: sluice\r\n\r\n`, () => resolve()),
  );
  return socket;
}

/**
 * Reads on until `text` has come, then leaves; gives all that came. With a `pause`, in ms, it waits that long after each
 * chunk, as one who cannot keep up.
 */
export async function readUntil(socket: Socket, text: string, pause = 0): Promise<string> {
  const chunks: Buffer[] = [];
  let end = '';
  socket.resume();
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    // The text may have come in two pieces.
    end = end.slice(-text.length) + chunk.toString('latin1');
    if (end.includes(text)) break;
    if (pause > 0) await delay(pause);
  }
  return Buffer.concat(chunks).toString();
}
