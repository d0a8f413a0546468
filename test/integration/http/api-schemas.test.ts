import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDescribedBroker } from '../../support/api-document.ts';
import type { schemasOf } from '../../support/api-document.ts';
import type { ApiDocument, ApiOperation } from '../../support/api-document.ts';
import type { Broker } from '../../support/broker.ts';
import { nearSchema } from '../../support/near-schema.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';

// The broker accepts what the document calls valid, and answers anything else with 400. The requests are generated from
// the document's own schemas.

const RUNS = Number(process.env['API_SCHEMA_RUNS'] ?? 150);

type Json = Readonly<Record<string, unknown>>;

let broker: Broker;
let api: ApiDocument;
let schemas: ReturnType<typeof schemasOf>;
beforeAll(async () => {
  ({ broker, api, schemas } = await startDescribedBroker('*'));
});
afterAll(() => broker?.kill());

interface Route {
  readonly path: string;
  readonly method: string;
  readonly operation: ApiOperation;
  readonly place: readonly string[];
}

function routeOf(path: string, method: string): Route {
  const operation = api.paths[path]?.[method];
  if (operation === undefined) throw new Error(`the document has no ${method} ${path}`);
  return { path, method: method.toUpperCase(), operation, place: ['paths', path, method] };
}

/** A request: the values of its parameters, in the document's order, and its body. */
interface Sent {
  readonly values: readonly (string | undefined)[];
  readonly body: unknown;
}

function sentTo({ operation }: Route): fc.Arbitrary<Sent> {
  const values = (operation.parameters ?? []).map((parameter) => {
    const text = nearSchema((parameter as unknown as { schema: Json }).schema).filter(
      (value): value is string => typeof value === 'string' && fits(value, parameter.in),
    );
    return parameter.in === 'path' ? text : fc.option(text, { nil: undefined, freq: 1 });
  });
  const [content] = Object.values(operation.requestBody?.content ?? {});
  const body = content === undefined ? fc.constant(undefined) : nearSchema(content.schema);
  return fc.record({ values: fc.tuple(...values), body });
}

/** A path part is not empty. A header value has no line breaks, and no blanks around it. */
function fits(value: string, place: string): boolean {
  if (place === 'path') return value !== '';
  return place !== 'header' || (/^[\x20-\x7e]*$/.test(value) && value.trim() === value);
}

async function send({ path, method, operation }: Route, { values, body }: Sent): Promise<RawAnswer> {
  let target = path;
  const query: string[] = [];
  const headers = [`Authorization: Bearer ${broker.key}`];
  for (const [at, { name, in: place }] of (operation.parameters ?? []).entries()) {
    const value = values[at];
    if (value === undefined) continue;
    if (place === 'path') target = target.replace(`{${name}}`, () => encodeURIComponent(value));
    else if (place === 'query') query.push(`${name}=${encodeURIComponent(value)}`);
    else headers.push(`${name}: ${value}`);
  }
  if (query.length > 0) target += `?${query.join('&')}`;
  // A subscriber sends no publish key.
  if (target.startsWith('/events/')) headers.shift();
  const [type] = Object.keys(operation.requestBody?.content ?? {});
  if (type === undefined) return await exchange(broker.port, { method, path: target, headers });
  const text = type === '*/*' ? String(body) : JSON.stringify(body);
  headers.push(
    `Content-Type: ${type === '*/*' ? 'text/plain' : type}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
  );
  return await exchange(broker.port, { method, path: target, headers, body: text });
}

/** The faults of a request, by the document. */
function faultsOf({ place, operation }: Route, { values, body }: Sent): readonly string[] {
  const ofParameters = values.flatMap((value, at) =>
    value === undefined ? [] : schemas.faults([...place, 'parameters', String(at), 'schema'], value),
  );
  const [type] = Object.keys(operation.requestBody?.content ?? {});
  if (type === undefined) return ofParameters;
  const content = [...place, 'requestBody', 'content', type, 'schema'];
  return [...ofParameters, ...schemas.faults(content, type === '*/*' ? String(body) : body)];
}

async function expectAgreement(
  route: Route,
  {
    requests = sentTo(route),
    alsoWrong = () => false,
  }: {
    requests?: fc.Arbitrary<Sent>;
    /** Rules that the document gives in words only, because JSON Schema cannot express them. */
    alsoWrong?: (sent: Sent) => boolean;
  } = {},
): Promise<void> {
  const seen = { right: 0, wrong: 0 };
  await fc.assert(
    fc.asyncProperty(requests, async (sent) => {
      const faults = faultsOf(route, sent);
      const wrong = faults.length > 0 || alsoWrong(sent);
      seen[wrong ? 'wrong' : 'right']++;
      const { status, body } = await send(route, sent);
      // A valid request may not meet the state of its channel, or the key of another request.
      const right = [409, 412, 422].includes(status) ? status : 200;
      expect({ status, faults, body }).toEqual({ status: wrong ? 400 : right, faults, body });
    }),
    { numRuns: RUNS },
  );
  // A generator that makes only valid, or only invalid, requests proves nothing.
  expect(Math.min(seen.right, seen.wrong)).toBeGreaterThan(0);
}

/** Whether an event comes after the end of its channel, or a condition after the first event of its channel. */
function isOutOfOrder(list: readonly Json[]): boolean {
  const ended = new Map<unknown, boolean>();
  return list.some((one) => {
    const { channel, close, ifLast } = one ?? {};
    const wrong = ended.get(channel) ?? false;
    const conditional = ended.has(channel) && ifLast !== undefined;
    ended.set(channel, close === true);
    return wrong || conditional;
  });
}

test('POST /publish', async () => {
  const route = routeOf('/publish', 'post');
  const ifMatch = (route.operation.parameters ?? []).findIndex(({ name }) => name === 'If-Match');
  await expectAgreement(route, {
    alsoWrong: ({ values, body }) => {
      if (Array.isArray(body)) return values[ifMatch] !== undefined || isOutOfOrder(body as Json[]);
      if (values[ifMatch] === undefined || typeof body !== 'object' || body === null) return false;
      const { channels, ifLast } = body as Json;
      return ifLast !== undefined || channels === '*' || (Array.isArray(channels) && channels.length > 1);
    },
  });
});

test('POST /publish/{channel}', async () => {
  const route = routeOf('/publish/{channel}', 'post');
  const names = (route.operation.parameters ?? []).map(({ name }) => name);
  await expectAgreement(route, {
    alsoWrong: ({ values }) =>
      values[names.indexOf('each')] === 'event' && values[names.indexOf('event')] !== undefined,
  });
});

test('POST /tokens', async () => {
  await expectAgreement(routeOf('/tokens', 'post'));
});

test('POST /disconnect', async () => {
  await expectAgreement(routeOf('/disconnect', 'post'));
});

test('GET /events/{channel} without a cursor', async () => {
  const route = { ...routeOf('/events/{channel}', 'get'), method: 'HEAD' };
  const names = (route.operation.parameters ?? []).map(({ name, in: place }) => `${place} ${name}`);
  const requests = sentTo(route).map(({ values, body }) => ({
    body,
    values: values.map((value, at) => (isCursor(names[at]) ? undefined : value)),
  }));
  const [last, since, state] = ['query last', 'query since', 'query state'].map((name) =>
    names.indexOf(name),
  );
  await expectAgreement(route, {
    requests,
    alsoWrong: ({ values }) =>
      [last, since, state].filter((at) => values[at as number] !== undefined).length > 1,
  });
});

test('GET /events/{channel} with any cursor, in any place', async () => {
  const route = { ...routeOf('/events/{channel}', 'get'), method: 'HEAD' };
  const parameters = route.operation.parameters ?? [];
  const cursors = parameters.flatMap(({ name, in: place }, at) => (isCursor(`${place} ${name}`) ? [at] : []));
  expect(cursors.length).toBe(6);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...cursors),
      fc.string({ minLength: 1, maxLength: 9 }),
      async (at, text) => {
        const { name, in: place } = parameters[at] ?? { name: '', in: '' };
        if (!fits(text, place)) return;
        const values = parameters.map((_one, index) =>
          index === at
            ? text
            : index === parameters.findIndex((one) => one.in === 'path')
              ? 'news'
              : undefined,
        );
        expect([name, (await send(route, { values, body: undefined })).status]).toEqual([name, 200]);
      },
    ),
    { numRuns: RUNS },
  );
});

/** Any text is a valid cursor. With a cursor, last and since are ignored. */
function isCursor(name = ''): boolean {
  return /^(?:header|query) last.?event.?id$/i.test(name);
}
