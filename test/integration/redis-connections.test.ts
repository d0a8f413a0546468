import { errorMonitor } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseRedisAddress } from '../../src/redis/redis-address.ts';
import { connectCommands } from '../../src/redis/redis-connections.ts';
import { createAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

const authority = createAuthority();
let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ tls: { authority, port: await freePort() } });
});
afterAll(() => redis.stop());

/** Gives up a connection during its handshake; resolves with the errors that it emitted. */
async function giveUp(): Promise<Error[]> {
  const address = parseRedisAddress(redis.tlsUrl);
  if (address.kind !== 'single') throw new Error('one server has another address');
  // The client first refuses Redis' certificate, and then gets Redis' error about the broken handshake.
  const connection = connectCommands(address, {
    ...authority.issue(['broker']),
    ca: createAuthority('Another').cert,
  });
  connection.on('error', () => undefined);
  connection.connect().catch(() => undefined);
  const errors: Error[] = [];
  await nextTurn();
  const { stream } = connection;
  // errorMonitor leaves 'error' without a listener. events.once() would add one, and hide a crash of the process.
  stream.on(errorMonitor, (error: Error) => errors.push(error));
  connection.disconnect();
  await new Promise((resolve) => stream.on('close', resolve));
  return errors;
}

test('a connection that fails twice does not end the process', async () => {
  // An 'error' without a listener is an uncaught exception, which fails the test run.
  await expect
    .poll(async () => (await Promise.all(Array.from({ length: 20 }, giveUp))).map(({ length }) => length))
    .toContain(2);
});
