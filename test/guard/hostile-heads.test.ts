import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { openRaw } from '../support/raw-http.ts';
import { readMetrics } from '../support/read-metrics.ts';

/** Whole requests, through everything that reads a head: Node, Fastify and its plugins, and the broker. */

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    // The largest setting, so that quadratic growth shows.
    SLUICE_MAX_HEADER_BYTES: '1MiB',
    SLUICE_JWT_SECRET: 'a secret of more than thirty-two bytes',
    SLUICE_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,::1',
    SLUICE_CORS_ORIGINS: 'https://app.example.com,https://*.example.org',
    SLUICE_PUBLIC_CHANNELS: 'open',
  });
});
afterAll(() => broker.kill());

const OPEN = 'HEAD /events/open';
const CLOSED = 'HEAD /events/closed';
const PAGE = 'GET /';
const PUBLISH = 'POST /publish';

/** A valid request with one header, whose value begins with the given text. */
const inHeader =
  (request: string, name: string, beginning = '', more: readonly string[] = []) =>
  (text: string): string =>
    [`${request} HTTP/1.1`, 'Host: a', ...more, `${name}: ${beginning}${text}x`, '', ''].join('\r\n');
const inTarget =
  (beginning: string) =>
  (text: string): string =>
    `${OPEN.split('/', 1)[0]}${beginning}${text} HTTP/1.1\r\nHost: a\r\n\r\n`;
const preflight = ['Origin: https://app.example.com', 'Access-Control-Request-Method: GET'];

type Place = readonly [place: string, request: (text: string) => string, units: readonly string[]];

const PLACES: readonly Place[] = [
  ['X-Forwarded-For', inHeader(OPEN, 'X-Forwarded-For'), ['10.0.0.1,', '::1,', ',', ' ', '1', '.', ':', '[']],
  ['X-Forwarded-Host', inHeader(OPEN, 'X-Forwarded-Host'), ['a,', ' ']],
  ['X-Forwarded-Proto', inHeader(OPEN, 'X-Forwarded-Proto'), ['a,', ' ']],
  ['Last-Event-ID', inHeader(OPEN, 'Last-Event-ID'), ['a@1-0,', '@', ',', '1', '-', ' ']],
  ['Accept', inHeader(OPEN, 'Accept'), ['*/*,', ' ', ';q=', ',']],
  ['Cookie', inHeader(CLOSED, 'Cookie'), ['a=b; ', ';', '=', '"', ' ', 'sluice_token=']],
  ['the token cookie', inHeader(CLOSED, 'Cookie', 'sluice_token='), ['"', ' ', '.', '=', 'eyJ']],
  [
    'Origin',
    inHeader(CLOSED, 'Origin', 'https://', ['Cookie: sluice_token=a.b.c']),
    ['a', 'a.', '\u00e9', ':', '@', '%41'],
  ],
  ['Authorization', inHeader(OPEN, 'Authorization', 'Bearer '), [' ', 'a ', '.', 'eyJ', '\t']],
  ["a publisher's Authorization", inHeader(PUBLISH, 'Authorization', 'Bearer '), [' ', '.', 'a.']],
  ["a publisher's header", inHeader(PUBLISH, 'X', '', ['Authorization: Bearer wrong']), [' ', '\t', 'a ']],
  ['Content-Type', inHeader(PUBLISH, 'Content-Type', 'a/b'), ['; a=b', ';', ' ', '"', '; a="']],
  ['Content-Encoding', inHeader(PUBLISH, 'Content-Encoding'), [' ,', 'gzip,']],
  ['Expect', inHeader(OPEN, 'Expect'), [' ', '1']],
  ['Connection', inHeader(OPEN, 'Connection', 'x'), [' ,', 'close ', 'a,']],
  [
    'a preflight',
    inHeader('OPTIONS /events/open', 'Access-Control-Request-Headers', 'a', preflight),
    ['a,', ' ', ','],
  ],
  ['Range', inHeader(PAGE, 'Range', 'bytes='), ['0-0,', ' ', '-']],
  ['If-None-Match', inHeader(PAGE, 'If-None-Match'), ['"a",', ' ', ',', 'W/']],
  ['Cache-Control', inHeader(PAGE, 'Cache-Control'), [' ,', 'no-cache ,']],
  ['If-Modified-Since', inHeader(PAGE, 'If-Modified-Since'), ['1 ', '(', ' ']],
  ['Accept-Encoding', inHeader(PAGE, 'Accept-Encoding'), ['gzip,', ' ']],
  ['the path', inTarget('/'), ['/', 'a', '%25', '%', ';', '../']],
  ['the name of a channel', inTarget('/events/'), ['a', '%41', '%25', '%2f', '%C3%A9', '%', ',']],
  ['the query', inTarget('/events/open?'), ['a=1&', '&', '=', '?', '%', '%41', '+']],
  ['a cursor in the query', inTarget('/events/open?last_event_id='), ['a@1-0,', '%40', ',']],
  ['a time in the query', inTarget('/events/open?since='), ['+00:00', '1', ':60']],
  ['a token in the query', inTarget('/events/closed?token='), ['.', 'eyJ', '%2e']],
];

const SMALL = 32_000;
const LARGE = 8 * SMALL;
/** Three times linear growth. HARMLESS adds the time of the answer and of the scrapes, in ms. */
const MOST = 24;
const HARMLESS = 50;

/** CPU time of the broker since its start, in ms. */
async function used(): Promise<number> {
  return ((await readMetrics(broker.url)).get('process_cpu_seconds_total') ?? NaN) * 1_000;
}

/** The CPU time that the broker uses for the request, in ms: the least of several measurements. */
async function cost(request: string): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 3; i++) {
    const before = await used();
    const connection = await openRaw(broker.port);
    connection.send(Buffer.from(request, 'latin1'));
    expect((await connection.answer('HEAD')).status).toBeGreaterThanOrEqual(200);
    connection.close();
    least = Math.min(least, (await used()) - before);
  }
  return least;
}

describe.each(PLACES)('%s', (_place, request, units) => {
  test.each(units.map((unit) => [JSON.stringify(unit), unit]))(
    'of many %s costs no more than linear time',
    async (_name, unit) => {
      const small = await cost(request(unit.repeat(SMALL / unit.length)));
      const large = await cost(request(unit.repeat(LARGE / unit.length)));
      expect({ small, large }).toSatisfy(() => large <= MOST * small + HARMLESS);
    },
  );
});
