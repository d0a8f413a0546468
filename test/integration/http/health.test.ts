import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

let broker: Broker;
let divided: Broker;
beforeAll(async () => {
  [broker, divided] = await Promise.all([startBroker(), startBroker({ SLUICE_ADMIN_PORT: '0' })]);
});
afterAll(() => Promise.all([broker.kill(), divided.kill()]));

const paths = ['/livez', '/readyz', '/healthz', '/metrics'];

describe('health', () => {
  test('/livez answers while the event loop runs', async () => {
    const answer = await exchange(broker.port, { path: '/livez' });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ status: 'live' });
  });

  test.each(['/readyz', '/healthz'])('%s lists its checks', async (path) => {
    const answer = await exchange(broker.port, { path });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({ status: 'ready', checks: { log: 'up', draining: 'false' } });
  });

  test.each(paths)('%s may not be stored, and needs no credentials', async (path) => {
    const answer = await exchange(broker.port, { path, headers: ['Authorization: Bearer nonsense'] });
    expect(answer.status).toBe(200);
    expect(answer.header('cache-control')).toBe('no-store');
  });
});

describe('SLUICE_ADMIN_PORT', () => {
  test.each(paths)('moves %s to the second port', async (path) => {
    const adminPort = Number(new URL(divided.adminUrl ?? '').port);
    expect(adminPort).not.toBe(divided.port);
    expect((await exchange(adminPort, { path })).status).toBe(200);
    for (const asked of [path, `${path}?a=b`]) {
      const problem = readProblem(await exchange(divided.port, { path: asked }), 404);
      expect(problem.code).toBe('not-found');
      expect(problem.detail).toContain('SLUICE_ADMIN_PORT');
    }
  });

  test.each(['/events/a', '/publish', '/publish/a', '/'])('leaves %s on the first', async (path) => {
    const adminPort = Number(new URL(divided.adminUrl ?? '').port);
    for (const method of ['GET', 'POST']) {
      const answer = await exchange(adminPort, { method, path });
      expect(readProblem(answer, 404).code).toBe('not-found');
    }
    expect((await exchange(divided.port, { path, method: 'HEAD' })).status).not.toBe(404);
  });

  test('without the setting there is no second port', () => {
    expect(broker.adminUrl).toBeUndefined();
  });
});
