import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readApi } from '../../support/api-document.ts';
import type { ApiDocument } from '../../support/api-document.ts';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

let broker: Broker;
let split: Broker;
let api: ApiDocument;
beforeAll(async () => {
  [broker, split] = await Promise.all([startBroker(), startBroker({ SLUICE_ADMIN_PORT: '0' })]);
  api = await readApi(broker.url);
});
afterAll(() => Promise.all([broker?.kill(), split?.kill()]));

/** The methods of each path: `{ '/publish': ['POST'] }`. */
function methodsOf({ paths }: ApiDocument): Record<string, string[]> {
  const methods = Object.entries(paths).map(([path, item]) => [
    path,
    Object.keys(item).map((method) => method.toUpperCase()),
  ]);
  return Object.fromEntries(methods) as Record<string, string[]>;
}

const OPERATIONS = {
  '/publish': ['POST'],
  '/publish/{channel}': ['POST', 'PUT'],
  '/events': ['GET', 'HEAD'],
  '/events/{channel}': ['GET', 'HEAD'],
  '/channels': ['GET'],
  '/channels/{channel}': ['DELETE', 'GET'],
  '/channels/{channel}/events': ['GET', 'HEAD'],
  '/channels/{channel}/state': ['GET', 'HEAD'],
  '/channels/{channel}/subscribers': ['GET'],
  '/status': ['GET'],
  '/tokens': ['POST'],
  '/disconnect': ['POST'],
  '/': ['GET', 'HEAD'],
  '/docs': ['GET', 'HEAD'],
  '/openapi.json': ['GET', 'HEAD'],
};
const LOOKING_IN = {
  '/livez': ['GET', 'HEAD'],
  '/readyz': ['GET', 'HEAD'],
  '/healthz': ['GET', 'HEAD'],
  '/metrics': ['GET'],
};

test('the document is OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate({ ...structuredClone(api) })).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('publishing, subscribing and looking in come first, and each group says what it is for', () => {
  expect(api.tags.map(({ name }) => name)).toEqual([
    'Publishing',
    'Subscribing',
    'Looking in',
    'Credentials',
    'Health, metrics and pages',
  ]);
  for (const { description } of api.tags) expect(description).toMatch(/\.$/);
  const paths = Object.values(api.paths).flatMap((item) => Object.values(item).flatMap(({ tags }) => tags));
  expect(paths.at(0)).toBe('Publishing');
  expect(paths.indexOf('Subscribing')).toBeLessThan(paths.indexOf('Credentials'));
  expect(paths.lastIndexOf('Looking in')).toBeLessThan(paths.indexOf('Credentials'));
  expect(paths.lastIndexOf('Credentials')).toBeLessThan(paths.indexOf('Health, metrics and pages'));
});

test('the document has every path, with every method that the path allows', async () => {
  const methods = methodsOf(api);
  expect(methods).toEqual({ ...OPERATIONS, ...LOOKING_IN });
  for (const [path, documented] of Object.entries(methods)) {
    const answer = await exchange(broker.port, {
      method: 'OPTIONS',
      path: path.replace('{channel}', 'news'),
    });
    expect(answer.status).toBe(204);
    expect(answer.header('allow')?.split(', ').toSorted(), path).toEqual(
      [...documented, 'OPTIONS'].toSorted(),
    );
  }
});

test('the document leaves out the routes on SLUICE_ADMIN_PORT', async () => {
  expect(methodsOf(await readApi(split.url))).toEqual(OPERATIONS);
  const { port } = new URL(split.adminUrl ?? '');
  expect(readProblem(await exchange(Number(port), { path: '/openapi.json' }), 404).code).toBe('not-found');
});

test('every error code is in an answer of some operation, except the code for unknown methods', () => {
  const operations = Object.values(api.paths).flatMap((item) => Object.values(item));
  const answers = JSON.stringify(operations.map(({ responses }) => responses));
  const all = api.components.schemas['Problem']?.properties['type']?.enum ?? [];
  expect(all.length).toBeGreaterThan(15);
  const missing = all
    .map((type) => type.replace('urn:sluice:problem:', ''))
    .filter((code) => !answers.includes(`"urn:sluice:problem:${code}"`))
    .filter((code) => !answers.includes(`"#/components/responses/${code}"`));
  expect(missing).toEqual(['method-not-allowed']);
  expect(Object.keys(api.components.responses)).toEqual(expect.arrayContaining(missing));
});

test('every operation has its own id', () => {
  const names = Object.values(api.paths).flatMap((item) =>
    Object.values(item).map(({ operationId }) => operationId),
  );
  expect(new Set(names).size).toBe(names.length);
});

test('HEAD /openapi.json answers with the head of GET', async () => {
  const answer = await exchange(broker.port, { method: 'HEAD', path: '/openapi.json' });
  expect(answer.status).toBe(200);
  expect(Number(answer.header('content-length'))).toBeGreaterThan(1_000);
});
