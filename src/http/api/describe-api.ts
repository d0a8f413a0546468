import type { DescribedRoute } from '../described-routes.ts';
import { ANSWER_HEADERS, headersOf } from './answer-headers.ts';
import { securityOf, securitySchemes } from './credentials.ts';
import { TAGS } from './operation.ts';
import type { Example, Operation, Parameter } from './operation.ts';
import { PROBLEM_SCHEMA, problemAnswers, sharedProblems } from './problem-answers.ts';
import { STREAM_EVENT_SCHEMAS } from './stream-events.ts';

type Json = Readonly<Record<string, unknown>>;

const DESCRIPTION = [
  'A broker for Server-Sent Events: backends publish with a POST, browsers listen with an `EventSource`, and every event of a channel arrives in order and once.',
  'Every refusal is a problem document. A path that is not here is a 404, a method that a path does not have a 405 with `Allow`, and `OPTIONS` is answered with 204 everywhere.',
].join('\n\n');

/** The OpenAPI 3.1 document of these routes. */
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
    // Relative to where the document is.
    servers: [{ url: '/', description: 'The broker that this document comes from.' }],
    tags: Object.values(TAGS).map((name) => ({ name })),
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

/** For a route that answers HEAD as it answers GET. */
function headOf({ examples: _withBodies, ...operation }: Operation): Operation {
  return { ...operation, id: `${operation.id}Head`, summary: `${operation.summary}: the head alone` };
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
        content: { [body.mediaType]: { schema: body.schema, ...named(good, (example) => example.body) } },
      },
    }),
    responses: describeResponses(operation),
  };
}

/** An example's value belongs to the first parameter of its name: the cursor has one in the head and one in the query. */
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

/** One part of each example, under its name; nothing where no example has that part. */
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
