import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDescribedBroker } from '../../support/api-document.ts';
import type { schemasOf } from '../../support/api-document.ts';
import { expectDescribed, faultsOf, routesOf, send, sentTo, takesKey } from '../../support/api-requests.ts';
import type { Route, Sent } from '../../support/api-requests.ts';
import type { Broker } from '../../support/broker.ts';
import { nearSchema } from '../../support/near-schema.ts';
import { exchange } from '../../support/raw-http.ts';

// The broker accepts what the document calls valid, and answers anything else with 400. Every answer is one that the
// document describes. The requests are generated from the document's own schemas.

const RUNS = Number(process.env['API_SCHEMA_RUNS'] ?? 100);

type Json = Readonly<Record<string, unknown>>;
type Value = fc.Arbitrary<unknown>;

let broker: Broker;
let schemas: ReturnType<typeof schemasOf>;
let routes: readonly Route[];
/** Ids of events of the channel `news`. */
let ids: string[];
beforeAll(async () => {
  const { api, ...started } = await startDescribedBroker('*');
  ({ broker, schemas } = started);
  routes = routesOf(api);
  ids = await publish([
    { channel: 'news', data: 'a', key: 'k' },
    { channel: 'news', data: { b: 1 }, event: 'created', key: 'l' },
    { channel: 'news', key: 'k', delete: true },
    { channel: 'news', data: 'd\ne' },
  ]);
  await publish([
    { channel: 'ended', data: 'last', close: true },
    { channel: 'cleared', data: 'gone' },
  ]);
  await send(broker, routeOf('deleteChannel'), { values: { 'path channel': 'cleared' }, body: undefined });
});
afterAll(() => broker?.kill());

async function publish(events: readonly object[]): Promise<string[]> {
  const { body } = await send(broker, routeOf('publish'), { values: {}, body: events });
  const { events: published } = JSON.parse(body) as { events: { id: string }[] };
  return published.map(({ id }) => id);
}

/** What an operation's document says in words only, because JSON Schema cannot express it. */
interface Words {
  /** Whether the request is invalid for another reason than its schemas. */
  readonly alsoWrong?: (sent: Sent) => boolean;
  /** The statuses from 400 that a valid request may get, because of the state of its channel or of another request. */
  readonly meets?: readonly number[];
  /** Values of parameters that do not come from their schemas. */
  readonly instead?: () => Readonly<Record<string, Value>>;
  readonly requests?: (route: Route) => fc.Arbitrary<Sent>;
}

const has = ({ values }: Sent, name: string): boolean => values[name] !== undefined;
const isBoth = (sent: Sent, one: string, other: string): boolean => has(sent, one) && has(sent, other);

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

/** Whether the body does not go with the header `If-Match`. */
function isWrongPublication(sent: Sent): boolean {
  const { body } = sent;
  const conditional = has(sent, 'header If-Match');
  if (Array.isArray(body)) return conditional || isOutOfOrder(body as Json[]);
  if (!conditional || typeof body !== 'object' || body === null) return false;
  const { channels, ifLast } = body as Json;
  return ifLast !== undefined || channels === '*' || (Array.isArray(channels) && channels.length > 1);
}

/** Half of the requests are about channels that exist. */
const channelValue = (): Value =>
  fc.oneof(
    fc.constantFrom('news', 'ended', 'cleared', 'never'),
    nearSchema({ type: 'string', pattern: '^[A-Za-z0-9._:~-]{1,200}$' }),
  );

/** Few bodies that are made from the whole schema are valid, so half of the requests have one simple event. */
function publishRequests(route: Route): fc.Arbitrary<Sent> {
  const text = nearSchema({ type: 'string', maxLength: 200 });
  const body = fc.record(
    { channel: channelValue(), data: fc.jsonValue({ maxDepth: 2 }), event: text, key: text },
    { requiredKeys: ['channel', 'data'] },
  );
  return fc.oneof(sentTo(route), fc.record({ values: fc.constant({}), body }));
}

const CURSOR = /^(?:header last-event-id|query (?:last.?event.?id|after))$/i;

/** Any text is a valid cursor. With a cursor, `last` and `since` are ignored, so no request has both. */
function readingRequests(route: Route, instead: Readonly<Record<string, Value>>): fc.Arbitrary<Sent> {
  const { parameters = [] } = route.operation;
  const cursors = parameters
    .map(({ name, in: place }) => `${place} ${name}`)
    .filter((one) => CURSOR.test(one));
  expect(cursors.length).toBeGreaterThanOrEqual(4);
  const cursor = fc.oneof(
    fc.constantFrom(...ids, ...ids.map((id) => `news@${id}`), 'earliest', '0-0', ''),
    fc.string({ maxLength: 9 }),
  );
  const known = Object.fromEntries(cursors.map((name) => [name, cursor]));
  return fc
    .tuple(sentTo(route, { ...instead, ...known }), fc.boolean(), fc.constantFrom(...cursors))
    .map(([{ body, values }, resumes, only]) => ({
      body,
      values: Object.fromEntries(
        Object.entries(values).filter(([name]) =>
          resumes
            ? name === only || !/ (?:last|since)$|last.?event.?id$| after$/i.test(name)
            : !CURSOR.test(name),
        ),
      ),
    }));
}

/** No request waits for long. */
const WAIT = fc.constantFrom(
  '0s',
  '0.001s',
  '2ms',
  '0.5ms',
  '0m',
  '',
  '1',
  '1h',
  '61s',
  '60001ms',
  '-1s',
  '1 s',
);
const STREAM: Words = {
  requests: (route) => readingRequests(route, { 'path channel': channelValue(), 'query wait': WAIT }),
  alsoWrong: (sent) =>
    isBoth(sent, 'query last', 'query since') ||
    isBoth(sent, 'query last', 'query state') ||
    isBoth(sent, 'query since', 'query state') ||
    isBoth(sent, 'query plain', 'query wait') ||
    (has(sent, 'query plain') && sent.values['query heartbeat'] === 'event'),
  meets: [410],
};
const MANY: Words = {
  ...STREAM,
  requests: (route) =>
    readingRequests(route, {
      'query channel': fc.array(channelValue(), { minLength: 1, maxLength: 3 }),
      'query wait': WAIT,
    }),
  meets: [],
};
const PAGE: Words = {
  requests: (route) => readingRequests(route, { 'path channel': channelValue(), 'query wait': WAIT }),
  alsoWrong: (sent) => isBoth(sent, 'query last', 'query since'),
};
const OF_CHANNEL: Words = { instead: () => ({ 'path channel': channelValue() }) };
const RAW: Words = {
  alsoWrong: (sent) => sent.values['query each'] === 'event' && has(sent, 'query event'),
  meets: [409, 412, 422],
};

/** By the id of the operation. */
const OPERATIONS: Readonly<Record<string, Words>> = {
  publish: { requests: publishRequests, alsoWrong: isWrongPublication, meets: [409, 412, 422] },
  publishRaw: RAW,
  publishPut: RAW,
  makeToken: {},
  disconnect: {},
  subscribe: STREAM,
  subscribeHead: STREAM,
  subscribeToMany: MANY,
  subscribeToManyHead: MANY,
  readEvents: PAGE,
  readEventsHead: {
    ...PAGE,
    requests: (route) => readingRequests(route, { 'path channel': channelValue() }),
  },
  readState: OF_CHANNEL,
  readStateHead: OF_CHANNEL,
  listChannels: {
    // The log alone knows which texts are cursors. An empty one counts as none.
    instead: () => ({ 'query after': fc.constantFrom('', 'x', '-1', '1.5', '9'.repeat(30)) }),
    alsoWrong: (sent) =>
      has(sent, 'query after') && sent.values['query after'] !== ''
        ? true
        : has(sent, 'query busiest') &&
          ['query prefix', 'query after', 'query limit'].some((name) => has(sent, name)),
  },
  describeChannel: OF_CHANNEL,
  listSubscribers: OF_CHANNEL,
  readStatus: {},
  deleteChannel: { meets: [404] },
  console: {},
  consoleHead: {},
  apiPage: {},
  apiPageHead: {},
  liveness: {},
  livenessHead: {},
  readiness: {},
  readinessHead: {},
  health: {},
  healthHead: {},
  metrics: {},
  apiDocument: {},
  apiDocumentHead: {},
};

function routeOf(id: string): Route {
  const route = routes.find(({ operation }) => operation.operationId === id);
  if (route === undefined) throw new Error(`the document has no operation ${id}`);
  return route;
}

test('these tests know every operation of the document', () => {
  expect(Object.keys(OPERATIONS).toSorted()).toEqual(
    routes.map(({ operation }) => operation.operationId).toSorted(),
  );
});

test.each(Object.entries(OPERATIONS))(
  '%s takes what the document calls valid, and answers as described',
  async (id, { alsoWrong = () => false, meets = [], instead = () => ({}), requests }) => {
    const route = routeOf(id);
    const { parameters, requestBody } = route.operation;
    const seen = { right: 0, wrong: 0 };
    const property = fc.asyncProperty(requests?.(route) ?? sentTo(route, instead()), async (sent) => {
      const faults = faultsOf(schemas, route, sent);
      const wrong = faults.length > 0 || alsoWrong(sent);
      seen[wrong ? 'wrong' : 'right']++;
      const answer = await send(broker, route, sent);
      const { status, body } = answer;
      const agrees = wrong ? status === 400 : status < 400 || meets.includes(status);
      expect({ status, agrees, faults, body }).toEqual({ status, agrees: true, faults, body });
      expectDescribed(schemas, route, answer);
    });
    const takesNothing = parameters === undefined && requestBody === undefined;
    await fc.assert(property, { numRuns: takesNothing ? 1 : RUNS });
    // A generator that makes only valid, or only invalid, requests proves nothing.
    if (!takesNothing) expect(Math.min(seen.right, seen.wrong)).toBeGreaterThan(0);
  },
);

test('who sends no credential, or one that allows nothing, gets what the document describes', async () => {
  const grants = { values: {}, body: { subscribe: ['elsewhere'] } };
  const { token } = JSON.parse((await send(broker, routeOf('makeToken'), grants)).body) as { token: string };
  const sent = { values: { 'path channel': 'news' }, body: { channel: 'news', data: 1 } };
  const guarded = routes.filter(({ operation }) => takesKey(operation));
  expect(guarded.length).toBeGreaterThan(8);
  for (const route of guarded) {
    const without = await send(broker, route, sent, '');
    expect([route.operation.operationId, without.status]).toEqual([route.operation.operationId, 401]);
    expectDescribed(schemas, route, without);
    const weak = await send(broker, route, sent, `Authorization: Bearer ${token}`);
    expect([route.operation.operationId, weak.status]).toEqual([route.operation.operationId, 403]);
    expectDescribed(schemas, route, weak);
  }
});

test('the document has the methods of each path that the broker takes', async () => {
  const byPath = Map.groupBy(routes, ({ path }) => path);
  for (const [path, of] of byPath) {
    const answer = await exchange(broker.port, {
      method: 'PATCH',
      path: path.replace('{channel}', 'news'),
    });
    expect([path, answer.status]).toEqual([path, 405]);
    const allowed = (answer.header('allow') ?? '').split(', ').filter((method) => method !== 'OPTIONS');
    expect([path, allowed.toSorted()]).toEqual([path, of.map(({ method }) => method).toSorted()]);
  }
});
