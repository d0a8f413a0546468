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

/** Gives a connection up in the middle of its handshake; resolves with the errors that it has told of. */
async function giveUp(): Promise<Error[]> {
  const address = parseRedisAddress(redis.tlsUrl);
  if (address.kind !== 'single') throw new Error('one server has another address');
  // It finds that it does not trust Redis, and then hears that Redis did not like how it left.
  const connection = connectCommands(address, {
    ...authority.issue(['broker']),
    ca: createAuthority('Another').cert,
  });
  connection.on('error', () => undefined);
  connection.connect().catch(() => undefined);
  const errors: Error[] = [];
  await nextTurn();
  const { stream } = connection;
  // Whoever listens to 'error' itself, as events.once() does, would keep it from ending the process.
  stream.on(errorMonitor, (error: Error) => errors.push(error));
  connection.disconnect();
  await new Promise((resolve) => stream.on('close', resolve));
  return errors;
}

test('a connection that fails twice does not end the process', async () => {
  // What nobody listens to is an uncaught exception, for which the test runner fails.
  await expect
    .poll(async () => (await Promise.all(Array.from({ length: 20 }, giveUp))).map(({ length }) => length))
    .toContain(2);
});
