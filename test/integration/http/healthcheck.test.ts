import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { freePort } from '../../support/free-port.ts';
import { PROGRAM, startProgram } from '../../support/started-program.ts';

interface Check {
  readonly code: number | null;
  readonly said: string;
}

/** Runs the health check as a container engine does: with the broker's environment. */
async function check(env: Record<string, string>): Promise<Check> {
  const { code, output } = await startProgram(process.execPath, [PROGRAM, 'healthcheck'], env).end();
  return { code, said: output };
}

const WELL: Check = { code: 0, said: '' };
let broker: Broker;
afterEach(() => broker.kill());

// A machine without IPv6 cannot listen on an IPv6 address.
const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
const IPV6 = hasIpv6 ? ['::1', '[::1]', '::'] : [];

describe('the health check asks the address on which the broker listens', () => {
  test.each(['127.0.0.1', '127.0.0.2', '0.0.0.0', 'localhost', ...IPV6])('HOST=%s', async (HOST) => {
    broker = await startBroker({ HOST });
    expect(await check({ HOST, PORT: String(broker.port) })).toEqual(WELL);
  });

  test('and no other address', async () => {
    broker = await startBroker({ HOST: '127.0.0.2' });
    const { code, said } = await check({ HOST: '127.0.0.3', PORT: String(broker.port) });
    expect(code).toBe(1);
    expect(said).toBe(`sluice: the broker does not answer (127.0.0.3 port ${broker.port}: ECONNREFUSED)\n`);
  });

  test('at the admin port of that address', async () => {
    const SLUICE_ADMIN_PORT = String(await freePort());
    broker = await startBroker({ HOST: '127.0.0.2', SLUICE_ADMIN_PORT });
    expect(await check({ HOST: '127.0.0.2', PORT: '1', SLUICE_ADMIN_PORT })).toEqual(WELL);
  });

  test('over TLS, when the certificate is for a name', async () => {
    const { cert, key } = createAuthority().issue(['broker.example']);
    const env = { HOST: '127.0.0.2', SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key };
    broker = await startBroker(env);
    expect(await check({ ...env, PORT: String(broker.port) })).toEqual(WELL);
  });

  test('without the proxy that the environment names', async () => {
    broker = await startBroker();
    const env = {
      NODE_USE_ENV_PROXY: '1',
      HTTP_PROXY: 'http://127.0.0.1:1',
      http_proxy: 'http://127.0.0.1:1',
    };
    expect(await check({ ...env, HOST: '127.0.0.1', PORT: String(broker.port) })).toEqual(WELL);
  });

  test('and reports when it cannot know the port', async () => {
    broker = await startBroker();
    const { code, said } = await check({ HOST: '127.0.0.1', PORT: '0' });
    expect(code).toBe(1);
    expect(said).toMatch(/^sluice: PORT is 0, .*\n$/);
  });
});
