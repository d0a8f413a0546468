import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDescribedBroker } from '../../support/api-document.ts';
import type { schemasOf } from '../../support/api-document.ts';
import type { ApiDocument, ApiOperation } from '../../support/api-document.ts';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openStream } from '../../support/sse-reader.ts';

// Everything here is read from the document, so these tests also cover every new example.

let broker: Broker;
let api: ApiDocument;
let schemas: ReturnType<typeof schemasOf>;
beforeAll(async () => {
  ({ broker, api, schemas } = await startDescribedBroker('news,news.de'));
});
afterAll(() => broker?.kill());

/** An example of an answer, and the request that leads to it. */
interface Case {
  readonly name: string;
  readonly place: readonly string[];
  readonly method: string;
  readonly path: string;
  readonly operation: ApiOperation;
  readonly status: number;
  readonly mediaType: string;
  readonly answer: unknown;
  readonly sent: Sent;
}

type Values = Readonly<Record<string, string | readonly string[]>>;

interface Sent {
  readonly parameters: Values;
  readonly body: unknown;
}

function casesOf({ paths }: ApiDocument): Case[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
        Object.entries(content).flatMap(([mediaType, { examples = {} }]) =>
          Object.entries(examples).map(([name, example]) => ({
            name: `${operation.operationId} ${name}`,
            place: ['paths', path, method],
            method: method.toUpperCase(),
            path,
            operation,
            status: Number(status),
            mediaType,
            answer: example.value,
            sent: requestOf(operation, name, example['x-request']),
          })),
        ),
      ),
    ),
  );
}

/** Finds the parts of a request by the example's name. A refused request has its own parts. */
function requestOf(
  { parameters = [], requestBody }: ApiOperation,
  name: string,
  refused: { readonly parameters?: Values; readonly body?: unknown } | undefined,
): Sent {
  if (refused !== undefined) return { parameters: refused.parameters ?? {}, body: refused.body };
  // A parameter of the same name elsewhere has no example of its own.
  const given = parameters.flatMap(({ name: parameter, examples = {} }) =>
    examples[name] === undefined ? [] : [[parameter, examples[name].value as string | string[]] as const],
  );
  const [body] = Object.values(requestBody?.content ?? {});
  return { parameters: Object.fromEntries(given), body: body?.examples?.[name]?.value };
}

function request({ path, operation, status, sent: { parameters, body } }: Case): {
  url: URL;
  headers: Record<string, string>;
  body?: string;
} {
  const url = new URL(
    path.replace('{channel}', encodeURIComponent(String(parameters['channel'] ?? ''))),
    broker.url,
  );
  const headers: Record<string, string> = {};
  for (const [at, { name, in: place }] of (operation.parameters ?? []).entries()) {
    if (operation.parameters?.findIndex((one) => one.name === name) !== at) continue;
    const value = parameters[name];
    if (value === undefined) continue;
    if (place === 'query') for (const single of [value].flat()) url.searchParams.append(name, single);
    if (place === 'header') headers[name] = String(value);
  }
  // The example of a 401 sends no credentials.
  const open =
    operation.security.length === 0 || operation.security.some((one) => Object.keys(one).length === 0);
  if (status !== 401 && !open) headers['authorization'] = `Bearer ${broker.key}`;
  const [mediaType] = Object.keys(operation.requestBody?.content ?? {});
  if (mediaType !== undefined && mediaType !== '*/*') headers['content-type'] = mediaType;
  if (body === undefined) return { url, headers };
  return { url, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}

/** The faults of a request, by the document. */
function faultsOf({ place, operation, sent: { parameters, body } }: Case): readonly string[] {
  const [mediaType] = Object.keys(operation.requestBody?.content ?? {});
  const ofBody =
    mediaType === undefined || body === undefined
      ? []
      : schemas.faults([...place, 'requestBody', 'content', mediaType, 'schema'], body);
  const ofParameters = (operation.parameters ?? []).flatMap(({ name }, index) => {
    const value = parameters[name];
    return value === undefined
      ? []
      : schemas.faults([...place, 'parameters', String(index), 'schema'], value);
  });
  return [...ofBody, ...ofParameters];
}

const answerSchema = ({ place, status, mediaType }: Case): readonly string[] => [
  ...place,
  'responses',
  String(status),
  'content',
  mediaType,
  'schema',
];

test('every operation with parameters or a body has an example', () => {
  const tried = new Set(casesOf(api).map(({ operation }) => operation.operationId));
  const taking = Object.values(api.paths)
    .flatMap((item) => Object.entries(item))
    .filter(([method, operation]) => method !== 'head' && (operation.parameters ?? operation.requestBody))
    .map(([, { operationId }]) => operationId);
  expect(taking.filter((id) => !tried.has(id))).toEqual([]);
});

test('a request is valid by its schemas, unless its answer is a refusal', () => {
  for (const example of casesOf(api)) {
    const faults = faultsOf(example);
    if (example.status === 400) expect(faults, example.name).not.toEqual([]);
    else expect(faults, example.name).toEqual([]);
  }
});

test('an answer is valid by its schema, in the document and from the broker, and has the documented status', async () => {
  const cases = casesOf(api).filter(({ mediaType }) => mediaType !== 'text/event-stream');
  expect(cases.length).toBeGreaterThan(10);
  for (const example of cases) {
    const { name, method, status, mediaType, answer } = example;
    expect(schemas.faults(answerSchema(example), answer), name).toEqual([]);
    const { url, ...init } = request(example);
    const response = await fetch(url, { method, ...init });
    const [type] = response.headers.get('content-type')?.split(';') ?? [];
    expect({ name, status: response.status, type }).toEqual({ name, status, type: mediaType });
    const came: unknown = await response.json();
    expect(schemas.faults(answerSchema(example), came), name).toEqual([]);
    // A refusal is always the same text.
    if (status >= 400) expect(came, name).toEqual(answer);
    else expect(Object.keys(came as object)).toEqual(Object.keys(answer as object));
  }
});

test('a stream has the events of its example, and their data match the document', async () => {
  const own = await startBroker({ SLUICE_PUBLIC_CHANNELS: 'news,news.de' });
  try {
    await own.publish('news', { total: 12 }, 'created');
    const cases = casesOf(api).filter(({ mediaType }) => mediaType === 'text/event-stream');
    expect(cases.length).toBeGreaterThan(1);
    for (const example of cases) {
      const { url, headers } = request(example);
      const stream = await openStream(`${own.url}${url.pathname}${url.search}`, { headers });
      expect(stream.status).toBe(example.status);
      expect(stream.headers['content-type']).toBe(`${example.mediaType}; charset=utf-8`);
      const came = await stream.until('sluice:ready');
      stream.close();
      const documented = eventsOf(String(example.answer));
      expect(came.map(({ event }) => event)).toEqual(documented.map(({ event }) => event));
      for (const { event, data } of [...came, ...documented]) {
        const component = { 'sluice:gap': 'Gap', 'sluice:ready': 'Ready' }[event ?? ''];
        if (component === undefined) expect(data).toBe('{"total":12}');
        else expect(schemas.faults(['components', 'schemas', component], JSON.parse(data))).toEqual([]);
      }
    }
  } finally {
    await own.kill();
  }
});

function eventsOf(text: string): { event?: string | undefined; data: string }[] {
  const events: { event?: string | undefined; data: string }[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(text);
  return events;
}
