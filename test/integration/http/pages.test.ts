import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

const PAGES = ['/', '/index.html', '/console.js', '/docs', '/docs.html', '/docs/docs.js', '/favicon.svg'];
const MODULES = ['/client/index.js', '/uplot/uPlot.esm.js', '/uplot/uPlot.min.css'];
const ORIGIN = 'https://app.example.com';

describe('modules for pages', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({ SLUICE_CORS_ORIGINS: ORIGIN });
  });
  afterAll(() => broker.kill());

  const get = (path: string, ...headers: string[]): Promise<RawAnswer> =>
    exchange(broker.port, { path, headers });

  test('the client and all that it imports are JavaScript, which pages of any origin may import', async () => {
    const found = new Set(['/client/index.js']);
    for (const path of found) {
      const answer = await get(path, 'Origin: https://elsewhere.example.com');
      expect([path, answer.status, answer.header('content-type')]).toEqual([
        path,
        200,
        'text/javascript; charset=utf-8',
      ]);
      expect(answer.header('access-control-allow-origin')).toBe('*');
      expect(answer.header('cross-origin-resource-policy')).toBe('cross-origin');
      for (const [, specifier = ''] of answer.body.matchAll(/ from '(.+)';/g))
        found.add(new URL(specifier, `http://broker${path}`).pathname);
    }
    expect([...found]).toEqual(expect.arrayContaining(['/client/client.js', '/client/sse-parser.js']));
    expect([...found].filter((path) => path.includes('publisher'))).toEqual([]);
  });

  test('an origin of SLUICE_CORS_ORIGINS gets the same answer', async () => {
    const answer = await get('/client/index.js', `Origin: ${ORIGIN}`);
    expect(answer.header('access-control-allow-origin')).toBe('*');
    expect(answer.header('access-control-allow-credentials')).toBeUndefined();
  });

  test.each(MODULES)('%s is not sent again when the browser has it', async (path) => {
    const etag = (await get(path)).header('etag') ?? '';
    expect(etag).toMatch(/^(W\/)?"[\w-]+"$/);
    for (const known of [etag, `W/${etag.replace('W/', '')}`, `"x", ${etag}`]) {
      const again = await get(path, `If-None-Match: ${known}`);
      expect([known, again.status, again.body]).toEqual([known, 304, '']);
    }
    expect((await get(path, 'If-None-Match: "x"')).status).toBe(200);
  });

  test.each(MODULES)('HEAD and other methods of %s', async (path) => {
    const { body } = await get(path);
    const head = await exchange(broker.port, { method: 'HEAD', path });
    expect([head.status, head.header('content-length'), head.body]).toEqual([
      200,
      String(Buffer.byteLength(body)),
      '',
    ]);
    expect((await exchange(broker.port, { method: 'POST', path })).status).toBe(405);
  });

  test.each([
    '/client/',
    '/client/none.js',
    '/client/publisher.js',
    '/client/index.ts',
    '/client/..%2Fpackage.json',
    '/client/__proto__',
    '/client/constructor',
    '/uplot/',
    '/uplot/uPlot.d.ts',
    '/uplot/..%2Fpackage.json',
  ])('%s is an unknown path', async (path) => {
    expect(readProblem(await get(path), 404).code).toBe('not-found');
  });

  test('the log has no warning of Node', () => {
    expect(broker.log().filter((line) => line.includes('"level":40'))).toEqual([]);
  });
});

describe('with SLUICE_CONSOLE=off', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker({ SLUICE_CONSOLE: 'off' });
  });
  afterAll(() => broker.kill());

  test.each([...PAGES, ...MODULES])('%s is an unknown path', async (path) => {
    for (const method of ['GET', 'HEAD', 'POST'])
      expect((await exchange(broker.port, { method, path })).status).toBe(404);
  });

  test('the API document stays, and has no pages', async () => {
    const answer = await exchange(broker.port, { path: '/openapi.json' });
    expect(answer.status).toBe(200);
    const paths = Object.keys((JSON.parse(answer.body) as { paths: object }).paths);
    expect(paths).toContain('/status');
    expect(paths).not.toContain('/');
    expect(paths).not.toContain('/docs');
  });
});
