import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { expect, test } from 'vitest';
import { detachSocket } from '../../src/stream/detach-socket.ts';

/** Whether V8 keeps the object's properties at fixed offsets. Otherwise V8 looks up each property in a dictionary. */
function hasFastProperties(object: object): boolean {
  setFlagsFromString('--allow-natives-syntax');
  const ask = runInThisContext('(object) => %HasFastProperties(object)') as (object: object) => boolean;
  const answer = ask(object);
  setFlagsFromString('--no-allow-natives-syntax');
  return answer;
}

test('a socket taken from the HTTP server has fast properties; a dictionary would slow down each write', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false });
  client.on('error', () => undefined);
  const [{ socket }, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse];
  expect(detachSocket(socket, response)).toBe(true);
  expect(hasFastProperties(socket)).toBe(true);
  socket.destroy();
  server.close();
});
