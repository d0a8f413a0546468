import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer, RawRequest } from '../../support/raw-http.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_PUBLIC_CHANNELS: 'news' });
});
afterAll(() => broker.kill());

const NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'";

/** The security headers of an answer. Repeated headers are joined, and then differ from the expected ones. */
function securityOf(answer: RawAnswer): Record<string, string | undefined> {
  return {
    sniffing: answer.header('x-content-type-options'),
    embedding: answer.header('cross-origin-resource-policy'),
    content: answer.header('content-security-policy'),
    referrer: answer.header('referrer-policy'),
  };
}

describe('every answer has the headers against sniffing, embedding, scripts and referrers', () => {
  test.each<[what: string, status: number, request: RawRequest]>([
    ['liveness', 200, { path: '/livez' }],
    ['readiness', 200, { path: '/readyz' }],
    ['metrics', 200, { path: '/metrics' }],
    ['the description of the API', 200, { path: '/openapi.json' }],
    ['bad percent-encoding', 400, { path: '/events/%zz' }],
    ['malformed HTTP', 400, { path: '/ /' }],
    ['a channel that is not public', 401, { path: '/events/private' }],
    ['a publish without a key', 401, { method: 'POST', path: '/publish/news' }],
    ['an unknown path', 404, { path: '/nothing' }],
    ['another method', 405, { method: 'PUT', path: '/events/news' }],
    ['an expectation', 417, { path: '/livez', headers: ['Expect: miracles'] }],
    ['a path that is too long', 431, { path: `/${'x'.repeat(20_000)}` }],
    ['OPTIONS of a path', 204, { method: 'OPTIONS', path: '/publish' }],
  ])('%s', async (_what, status, request) => {
    const answer = await exchange(broker.port, request);
    expect(answer.status).toBe(status);
    expect(securityOf(answer)).toEqual({
      sniffing: 'nosniff',
      embedding: 'same-origin',
      content: NOTHING_RUNS,
      referrer: 'no-referrer',
    });
  });
});

test('the answer to a publish has only one of the headers', async () => {
  const answer = await exchange(broker.port, publishRequest(broker, { path: '/publish/news', body: 'x' }));
  expect(answer.status).toBe(200);
  expect(securityOf(answer)).toEqual({ sniffing: 'nosniff' });
});

test.each(['GET', 'HEAD'])('a stream has the headers against sniffing and embedding: %s', async (method) => {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ method, path: '/events/news' }));
  const answer = await connection.answer(method);
  connection.close();
  expect(answer.status).toBe(200);
  expect(securityOf(answer)).toEqual({ sniffing: 'nosniff', embedding: 'same-origin' });
});

test.each(['/', '/console.js', '/console.css', '/docs', '/docs/docs.js'])(
  'a page may load its own files only: %s',
  async (path) => {
    const answer = await exchange(broker.port, { path });
    expect(answer.status).toBe(200);
    const { content = '', ...others } = securityOf(answer);
    expect(others).toEqual({ sniffing: 'nosniff', embedding: 'same-origin', referrer: 'no-referrer' });
    const directives = new Map(
      content.split('; ').map((directive) => {
        const [name = '', ...values] = directive.split(' ');
        return [name, values.join(' ')];
      }),
    );
    expect(directives.get('default-src')).toBe("'none'");
    expect(directives.get('script-src')).toBe("'self'");
    for (const name of ['frame-ancestors', 'base-uri', 'form-action', 'trusted-types'])
      expect(directives.get(name)).toBe("'none'");
    expect(content).not.toMatch(/unsafe|\*|http/);
  },
);
