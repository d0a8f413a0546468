import type { DescribedRoute } from './described-routes.ts';
import { ANSWER_HEADERS, headersOf } from './answer-headers.ts';
import { securityOf, securitySchemes } from './credentials.ts';
import { TAGS } from './operation.ts';
import type { Example, Operation, Parameter, Tag } from './operation.ts';
import { PROBLEM_SCHEMA, problemAnswers, sharedProblems } from './problem-answers.ts';
import { STREAM_EVENT_SCHEMAS } from './stream-events.ts';

type Json = Readonly<Record<string, unknown>>;

const DESCRIPTION = [
  'A broker for Server-Sent Events. Backends publish with a POST, and browsers subscribe with an `EventSource`. Every event of a channel arrives once and in order.',
  'Every error is a problem document. An unknown path is a 404. A method that a path does not accept is a 405 with `Allow`. `OPTIONS` is a 204 on every path of this document.',
].join('\n\n');

const TAG_DESCRIPTIONS: Readonly<Record<Tag, string>> = {
  [TAGS.publishing]: 'Send events to channels, end channels, and delete the events of a channel.',
  [TAGS.subscribing]: 'Receive the events of channels as a stream, or read events and state as JSON.',
  [TAGS.inspection]: 'List channels and subscribers, and read the status of the broker.',
  [TAGS.credentials]: 'Make tokens, end streams, and revoke tokens.',
  [TAGS.monitoring]: 'What probes, Prometheus and browsers read. These operations need no credential.',
};

/** Makes the OpenAPI 3.1 document of these routes. */
export function describeApi(
  routes: readonly DescribedRoute[],
  { version, tokenCookie }: { readonly version: string; readonly tokenCookie: string },
): Json {
  const paths = Map.groupBy(routes, ({ url }) => url.replaceAll(/:(\w+)/g, '{$1}'));
  return {
    openapi: '3.1.1',
    info: {
      title: 'Sluice',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    // OpenAPI resolves this URL relative to the document's own URL.
    servers: [{ url: '/', description: 'The broker that serves this document.' }],
    tags: Object.values(TAGS).map((name) => ({ name, description: TAG_DESCRIPTIONS[name] })),
    paths: Object.fromEntries([...paths].map(([path, methods]) => [path, describePath(methods)])),
    components: {
      schemas: { Problem: PROBLEM_SCHEMA, ...STREAM_EVENT_SCHEMAS },
      responses: sharedProblems(),
      headers: ANSWER_HEADERS,
      securitySchemes: securitySchemes(tokenCookie),
    },
  };
}

function describePath(routes: readonly DescribedRoute[]): Json {
  const get = routes.find(({ method }) => method === 'GET')?.operation;
  const described = routes.map(({ method, operation }) => {
    const answersAsGet = method === 'HEAD' && operation === get;
    return [method.toLowerCase(), describeOperation(answersAsGet ? headOf(operation) : operation)] as const;
  });
  return Object.fromEntries(described.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Describes the HEAD of a route that answers HEAD like GET. */
function headOf({ examples: _withBodies, ...operation }: Operation): Operation {
  return { ...operation, id: `${operation.id}Head`, summary: `${operation.summary}: only the headers` };
}

function describeOperation(operation: Operation): Json {
  const { id, tag, summary, description, credentials = [], parameters = [], body, examples = [] } = operation;
  const good = examples.filter((example) => example.status < 400);
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: securityOf(credentials),
    ...(parameters.length > 0 && { parameters: describeParameters(parameters, good) }),
    ...(body !== undefined && {
      requestBody: {
        ...(body.description !== undefined && { description: body.description }),
        required: body.required,
        content: {
          [body.mediaType]: { schema: body.schema, ...named(good, (example) => example.body) },
          ...Object.fromEntries(
            Object.entries(body.others ?? {}).map(([type, schema]) => [type, { schema }]),
          ),
        },
      },
    }),
    responses: describeResponses(operation),
  };
}

/** Gives the examples to the first parameter of a name. `Last-Event-ID` is a header and a query parameter. */
function describeParameters(parameters: readonly Parameter[], examples: readonly Example[]): readonly Json[] {
  return parameters.map((one, at) => {
    const first = parameters.findIndex(({ name }) => name === one.name) === at;
    return describeParameter(one, first ? examples : []);
  });
}

function describeParameter(parameter: Parameter, examples: readonly Example[]): Json {
  return {
    ...parameter,
    ...(parameter.in === 'path' && { required: true }),
    ...named(examples, ({ parameters: values }) => values?.[parameter.name]),
  };
}

function describeResponses({ answers, refusals = [], examples = [] }: Operation): Json {
  const responses: Record<string, Json> = {};
  const examplesOf = (status: number): { examples?: Json } =>
    named(
      examples.filter((example) => example.status === status),
      ({ answer }) => answer,
    );
  for (const { status, response } of problemAnswers(refusals, examplesOf)) responses[status] = response;
  for (const [status, { description, headers = [], content }] of Object.entries(answers)) {
    responses[status] = {
      description,
      ...headersOf(headers),
      ...(content !== undefined && {
        content: { [content.mediaType]: { schema: content.schema, ...examplesOf(Number(status)) } },
      }),
    };
  }
  return responses;
}

/** Collects one part of each example under the example's name. Returns an empty object when no example has that part. */
function named(examples: readonly Example[], part: (example: Example) => unknown): { examples?: Json } {
  const parts = examples.flatMap((example) => {
    const value = part(example);
    return value === undefined ? [] : [[example.name, describeExample(example, value)] as const];
  });
  return parts.length === 0 ? {} : { examples: Object.fromEntries(parts) };
}

function describeExample({ summary, status, parameters, body }: Example, value: unknown): Json {
  return { summary, value, ...(status >= 400 && { 'x-request': { parameters, body } }) };
}
