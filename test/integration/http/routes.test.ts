import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

describe('an unknown path is 404', () => {
  test.each([
    ['GET', '/nothing'],
    ['POST', '/nothing'],
    ['DELETE', '/nothing'],
    ['GET', '/event/a'],
    ['GET', '/Events/a'],
    ['GET', '/events/a/b'],
    ['GET', '/events/a/'],
    ['GET', '//events/a'],
    ['GET', '/events/../livez'],
    ['GET', '/%65vents%2Fa'],
    ['POST', '/publish/a/b'],
    ['GET', '/livez/'],
    ['GET', '/.publish-key'],
    ['GET', '/..%2f..%2fpackage.json'],
    ['GET', '/index.html/..%2f..%2fmain.ts'],
  ])('%s %s', async (method, path) => {
    const answer = await exchange(broker.port, { method, path });
    expect(readProblem(answer, 404).code).toBe('not-found');
  });
});

describe('a method that a path does not have is 405, and Allow lists its methods', () => {
  const routes = [
    { path: '/publish', allow: ['POST'], others: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'] },
    { path: '/publish/a', allow: ['POST', 'PUT'], others: ['GET', 'HEAD', 'PATCH', 'DELETE'] },
    { path: '/disconnect', allow: ['POST'], others: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'] },
    { path: '/events/a', allow: ['GET', 'HEAD'], others: ['POST', 'PUT', 'PATCH', 'DELETE'] },
    { path: '/livez', allow: ['GET'], others: ['POST', 'DELETE'] },
    { path: '/readyz', allow: ['GET'], others: ['POST', 'DELETE'] },
    { path: '/healthz', allow: ['GET'], others: ['POST', 'DELETE'] },
    { path: '/metrics', allow: ['GET'], others: ['POST', 'DELETE'] },
    { path: '/', allow: ['GET', 'HEAD'], others: ['POST', 'DELETE'] },
    { path: '/docs', allow: ['GET', 'HEAD'], others: ['POST', 'DELETE'] },
    { path: '/openapi.json', allow: ['GET', 'HEAD'], others: ['POST', 'DELETE'] },
  ];
  const rows = routes.flatMap(({ path, allow, others }) =>
    [...others, 'TRACE', 'QUERY'].map((method) => ({ method, path, allow })),
  );

  test.each(rows)('$method $path', async ({ method, path, allow }) => {
    const answer = await exchange(broker.port, { method, path });
    expect(answer.status).toBe(405);
    expect(answer.header('allow')?.split(', ')).toEqual(expect.arrayContaining(allow));
    expect(answer.header('allow')?.split(', ')).not.toContain(method);
    expect(answer.header('content-type')).toBe('application/problem+json');
  });

  test.each(['PROPFIND', 'LOCK', 'SEARCH', 'PURGE', 'NOTIFY'])(
    'also a method of other protocols: %s',
    async (method) => {
      const answer = await exchange(broker.port, { method, path: '/events/a' });
      expect(readProblem(answer, 405).code).toBe('method-not-allowed');
      expect(answer.header('allow')).toContain('GET');
    },
  );

  test('with any credentials, body and query', async () => {
    const answer = await exchange(broker.port, {
      method: 'PUT',
      path: '/publish?x=%ff',
      headers: ['Authorization: Basic x', 'Content-Type: nonsense', 'Content-Length: 1'],
      body: '{',
    });
    const problem = readProblem(answer, 405);
    expect(problem.code).toBe('method-not-allowed');
    expect(problem.detail).toContain('PUT');
    expect(problem.detail).toContain('POST');
  });

  test('but OPTIONS is answered', async () => {
    const answer = await exchange(broker.port, { method: 'OPTIONS', path: '/publish' });
    expect(answer.status).toBe(204);
    expect(answer.header('allow')).toContain('POST');
  });
});

test.each(['/livez', '/livez?x=1', 'http://elsewhere.test/livez'])(
  '%s is accepted as a request target',
  async (path) => {
    expect((await exchange(broker.port, { path })).status).toBe(200);
  },
);
