import { requestBytes } from '../support/raw-http.ts';

/** One kind of hostile input, in growing sizes. */
export interface HostileInput {
  readonly name: string;
  /** The unit of `size`: bytes of a head or a body, or concurrent readers. */
  readonly sizes: readonly number[];
  readonly unit: 'head' | 'body' | 'readers';
  /** The requests of one round, each for a new connection. */
  readonly requests: (size: number, key: string) => readonly Buffer[];
}

const KIB = 1024;
const HEADS = [1, 4, 15].map((kib) => kib * KIB);
const BODIES = [16, 128, 1023].map((kib) => kib * KIB);
const CROWDS = [10, 100, 1_000];

/** How many connections send the same request at the same time. */
const AT_ONCE = 4;

function inHead(
  name: string,
  request: (fill: (text: string) => string, key: string) => Buffer,
): HostileInput {
  return {
    name,
    sizes: HEADS,
    unit: 'head',
    requests: (size, key) => Array<Buffer>(AT_ONCE).fill(request((text) => filled(text, size), key)),
  };
}

function inBody(name: string, json: (fill: (text: string) => string) => string): HostileInput {
  return {
    name,
    sizes: BODIES,
    unit: 'body',
    requests: (size, key) => {
      const body = json((text) => filled(text, size - 100));
      return Array<Buffer>(AT_ONCE).fill(publish('/publish', key, 'application/json', body));
    },
  };
}

function ofReaders(name: string, path: (i: number) => string, cursor: (i: number) => string): HostileInput {
  return {
    name,
    sizes: CROWDS,
    unit: 'readers',
    requests: (size) =>
      Array.from({ length: size }, (_, i) =>
        requestBytes({ path: path(i), headers: cursor(i) === '' ? [] : [`Last-Event-ID: ${cursor(i)}`] }),
      ),
  };
}

function filled(text: string, size: number): string {
  return text.repeat(Math.max(1, Math.floor(size / text.length)));
}

function publish(path: string, key: string, type: string, body: string): Buffer {
  const headers = [
    `Authorization: Bearer ${key}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return requestBytes({ method: 'POST', path, headers, body });
}

const events = (header: string): Buffer => requestBytes({ path: '/events/hostile', headers: [header] });

export const HOSTILE_INPUTS: readonly HostileInput[] = [
  inHead('blanks before a control character', (fill) =>
    requestBytes({ method: 'POST', path: '/publish', headers: [`a:${fill(' ')}\u007f`] }),
  ),
  inHead('blanks inside a value', (fill, key) =>
    requestBytes({
      method: 'POST',
      path: '/publish',
      headers: [`Authorization: Bearer ${key}`, `a: x${fill(' ')}x`],
    }),
  ),
  inHead('blanks in Authorization', (fill) => events(`Authorization: Bearer ${fill(' ')}x x`)),
  inHead('dots in a token', (fill) => events(`Authorization: Bearer ${fill('.')}`)),
  inHead('quotes in a cookie', (fill) => events(`Cookie: sluice_token="${fill('"')}; x`)),
  inHead('many cookies', (fill) => events(`Cookie: ${fill('a=; ')}`)),
  inHead('brackets in X-Forwarded-For', (fill) => events(`X-Forwarded-For: ${fill('[')}:1`)),
  inHead('commas in X-Forwarded-For', (fill) => events(`X-Forwarded-For: ${fill('::1,')}::1`)),
  inHead('digits in Last-Event-ID', (fill) => events(`Last-Event-ID: ${fill('1')}-1`)),
  inHead('a list in Last-Event-ID', (fill) => events(`Last-Event-ID: ${fill('a@1-0,')}b@1-0`)),
  inHead('percent signs in the query', (fill) => requestBytes({ path: `/events/hostile?x=${fill('%25')}` })),
  inHead('many parameters', (fill) => requestBytes({ path: `/events/hostile?${fill('a=1&')}` })),
  inHead('a long name', (fill) => requestBytes({ path: `/events/${fill('a.')}` })),
  inBody('empty objects', (fill) => `{"channel":"hostile","data":[${fill('{},')}{}]}`),
  inBody('exponents', (fill) => `{"channel":"hostile","data":[${fill('1e1,')}1]}`),
  inBody('long digits', (fill) => `{"channel":"hostile","data":[${fill('12345678901234567890,')}1]}`),
  inBody('nesting', (fill) => {
    const nest = `${'['.repeat(180)}${']'.repeat(180)},`;
    return `{"channel":"hostile","data":[${fill(nest)}1]}`;
  }),
  inBody('unknown fields', (fill) => {
    let i = 0;
    return `{"channel":"hostile","data":1${fill(',"abcdef":1').replaceAll('abcdef', () => `k${i++}`)}}`;
  }),
  inBody('escapes', (fill) => `{"channel":"hostile","data":"${fill('\\ud83d\\ude00')}"}`),
  inBody('blanks', (fill) => `{"channel":"hostile","data":${fill(' ')}1}`),
  {
    name: 'line feeds',
    sizes: BODIES,
    unit: 'body',
    requests: (size, key) =>
      Array<Buffer>(AT_ONCE).fill(publish('/publish/hostile', key, 'text/plain', '\n'.repeat(size))),
  },
  {
    name: 'plain text',
    sizes: BODIES,
    unit: 'body',
    requests: (size, key) =>
      Array<Buffer>(4 * AT_ONCE).fill(publish('/publish/hostile', key, 'text/plain', 'x'.repeat(size))),
  },
  ofReaders(
    'cursors before all that is kept',
    () => '/events/hostile',
    (i) => `1-${i}`,
  ),
  ofReaders(
    'cursors in between',
    () => '/events/hostile',
    (i) => `${Date.now() - 100}-${1_000 + i}`,
  ),
  ofReaders(
    'cursors beyond the tail',
    () => '/events/hostile',
    (i) => `99999999999999-${i}`,
  ),
  ofReaders(
    'everything',
    () => '/events/hostile?last_event_id=earliest',
    () => '',
  ),
  ofReaders(
    'the newest',
    (i) => `/events/hostile?last=${1 + (i % 300)}`,
    () => '',
  ),
  ofReaders(
    'a channel each',
    (i) => `/events/hostile.${i}`,
    () => '',
  ),
];
