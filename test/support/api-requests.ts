import fc from 'fast-check';
import { expect } from 'vitest';
import type { ApiDocument, ApiOperation, schemasOf } from './api-document.ts';
import type { Broker } from './broker.ts';
import { nearSchema } from './near-schema.ts';
import { exchange } from './raw-http.ts';
import type { RawAnswer } from './raw-http.ts';

/** An operation, and where it stands in the document. */
export interface Route {
  readonly path: string;
  /** In capitals. */
  readonly method: string;
  readonly operation: ApiOperation;
  readonly place: readonly string[];
}

/** The parameters by their place and name (`query limit`), and the body. */
export interface Sent {
  readonly values: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

export function routesOf({ paths }: ApiDocument): Route[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
      place: ['paths', path, method],
    })),
  );
}

/**
 * Requests near the limits of what the document allows.
 * @param instead the values of some parameters, which then do not come from their schemas
 */
export function sentTo(
  { operation: { parameters = [], requestBody } }: Route,
  instead: Readonly<Record<string, fc.Arbitrary<unknown>>> = {},
): fc.Arbitrary<Sent> {
  const values = parameters.map((parameter) => {
    const { name, in: place, schema } = parameter;
    const near = instead[`${place} ${name}`] ?? nearSchema(schema);
    const isList = schema['type'] === 'array';
    const fitting = near.filter(
      (value) => isList === Array.isArray(value) && [value].flat().every((one) => fits(one, place)),
    );
    return [`${place} ${name}`, place === 'path' ? fitting : optional(fitting)];
  });
  const [content] = Object.values(requestBody?.content ?? {});
  return fc.record({
    values: fc.record(Object.fromEntries(values) as Record<string, fc.Arbitrary<unknown>>),
    body: content === undefined ? fc.constant(undefined) : nearSchema(content.schema),
  });
}

/** Most requests have few parameters: with all of them, hardly any request would be valid. */
function optional(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
}

/** A path part is not empty. A header value has no line breaks, and no blanks around it. */
function fits(value: unknown, place: string): boolean {
  if (typeof value !== 'string') return false;
  if (place === 'path') return value !== '';
  return place !== 'header' || (/^[\x20-\x7e]*$/.test(value) && value.trim() === value);
}

/** Whether the operation takes a publish key. A subscriber sends none. */
export function takesKey({ security }: ApiOperation): boolean {
  return security.some((one) => 'publishKey' in one);
}

/** Sends the request, with a publish key where the operation takes one, unless `authorization` is another header. */
export async function send(
  broker: Broker,
  { path, method, operation }: Route,
  { values, body }: Sent,
  authorization: string = takesKey(operation) ? `Authorization: Bearer ${broker.key}` : '',
): Promise<RawAnswer> {
  let target = path;
  const query: string[] = [];
  const headers = authorization === '' ? [] : [authorization];
  for (const { name, in: place } of operation.parameters ?? []) {
    for (const value of [values[`${place} ${name}`] ?? []].flat().map(String)) {
      if (place === 'path') target = target.replace(`{${name}}`, () => encodeURIComponent(value));
      else if (place === 'query') query.push(`${name}=${encodeURIComponent(value)}`);
      else headers.push(`${name}: ${value}`);
    }
  }
  if (query.length > 0) target += `?${query.join('&')}`;
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
export function faultsOf(
  schemas: ReturnType<typeof schemasOf>,
  { place, operation: { parameters = [], requestBody } }: Route,
  { values, body }: Sent,
): readonly string[] {
  const ofParameters = parameters.flatMap(({ name, in: where, required = false }, at) => {
    const value = values[`${where} ${name}`];
    if (value === undefined) return required ? [`${name} is missing`] : [];
    return schemas.faults([...place, 'parameters', String(at), 'schema'], value);
  });
  const [type] = Object.keys(requestBody?.content ?? {});
  if (type === undefined) return ofParameters;
  const content = [...place, 'requestBody', 'content', type, 'schema'];
  return [...ofParameters, ...schemas.faults(content, type === '*/*' ? String(body) : body)];
}

/** Asserts that the document has this answer of the operation: status, media type, headers and body. */
export function expectDescribed(
  schemas: ReturnType<typeof schemasOf>,
  { method, place, operation: { operationId, responses } }: Route,
  answer: RawAnswer,
): void {
  const { status, body } = answer;
  const described = responses[status];
  expect(described, `${operationId} has no answer ${status}; it came with ${body}`).toBeDefined();
  const at =
    described?.$ref === undefined
      ? [...place, 'responses', String(status)]
      : described.$ref.slice(2).split('/');
  for (const name of Object.keys(described?.headers ?? {})) {
    const value = answer.header(name.toLowerCase());
    if (value === undefined) continue;
    const faults = schemas.faults(
      ['components', 'headers', name, 'schema'],
      /^\d+$/.test(value) ? Number(value) : value,
    );
    expect(faults, `${operationId} ${status} ${name}: ${value}`).toEqual([]);
  }
  if (described?.content === undefined) return;
  const [type = ''] = answer.header('content-type')?.split(';') ?? [];
  expect(Object.keys(described.content), `${operationId} ${status}`).toContain(type);
  if (method === 'HEAD' || type === 'text/event-stream') return;
  const value: unknown = type.endsWith('json') ? JSON.parse(body) : body;
  const faults = schemas.faults([...at, 'content', type, 'schema'], value);
  expect(faults, `${operationId} ${status} ${body.slice(0, 500)}`).toEqual([]);
}
