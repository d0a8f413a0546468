import { requestBytes } from '../support/raw-http.ts';
import type { RawRequest } from '../support/raw-http.ts';

/** What one connection sends, and how it ends. */
export interface FuzzCase {
  /** The parts to send, each as a packet of its own where TCP allows it. */
  readonly pieces: readonly Buffer[];
  /** `finish` sends FIN and reads to the end; `reset` resets the connection at any point. */
  readonly ending: 'finish' | 'reset';
}

type Random = () => number;
type Mutation = (bytes: Buffer, random: Random) => Buffer;

/** Makes a case from random numbers; the same numbers make the same case. */
export function fuzzCase(random: Random, key: string): FuzzCase {
  const noise = random() < 0.1;
  const bytes = noise ? randomBytes(random, 2_000) : mutated(conversation(random, key), random);
  return { pieces: split(bytes, random), ending: random() < 0.3 ? 'reset' : 'finish' };
}

/** One to six valid requests, one after the other. */
function conversation(random: Random, key: string): Buffer {
  const requests = rightRequests(key);
  const count = random() < 0.6 ? 1 : 1 + below(random, 6);
  return Buffer.concat(Array.from({ length: count }, () => requestBytes(pick(random, requests))));
}

function rightRequests(key: string): RawRequest[] {
  const authorization = `Authorization: Bearer ${key}`;
  const json = JSON.stringify({
    channel: 'fuzz',
    event: 'tick',
    data: { text: 'é\u{1f600}', list: [1, 2.5e300] },
  });
  const origin = 'Origin: https://allowed.example';
  return [
    { path: '/livez' },
    { path: '/nothing' },
    { method: 'DELETE', path: '/events/fuzz' },
    { method: 'DELETE', path: '/channels/fuzz', headers: [authorization, origin] },
    { path: '/events/fuzz?only=active', headers: ['Last-Event-ID: 0-0'] },
    { path: '/metrics' },
    { path: '/', headers: ['Accept-Encoding: gzip', 'If-None-Match: "x"', 'Range: bytes=0-1'] },
    { path: '/events/fuzz', headers: ['Accept: text/event-stream', origin] },
    { path: '/events/fuzz?last=10', headers: ['Last-Event-ID: 1763596800000-0'] },
    { path: '/events/fuzz?since=2026-01-31T12:00:00Z' },
    { path: '/events/a%2Db?last_event_id=earliest', headers: ['X-Forwarded-For: 198.51.100.1, ::1'] },
    { method: 'HEAD', path: '/events/fuzz' },
    {
      method: 'OPTIONS',
      path: '/publish',
      headers: [
        origin,
        'Access-Control-Request-Method: POST',
        'Access-Control-Request-Headers: authorization',
      ],
    },
    {
      method: 'POST',
      path: '/publish',
      headers: [
        authorization,
        'Content-Type: application/json',
        `Content-Length: ${Buffer.byteLength(json)}`,
      ],
      body: json,
    },
    {
      method: 'POST',
      path: '/publish/fuzz?event=tick',
      headers: [authorization, 'Content-Length: 5', 'Idempotency-Key: fuzz', origin],
      body: 'hello',
    },
    {
      method: 'POST',
      path: '/publish/fuzz',
      headers: [authorization, 'Transfer-Encoding: chunked', 'Expect: 100-continue'],
      body: '5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: x\r\n\r\n',
    },
    { method: 'POST', path: '/publish/fuzz', headers: ['Authorization: Bearer wrong', 'Content-Length: 0'] },
    {
      method: 'POST',
      path: '/publish/fuzz',
      headers: [authorization, 'Content-Length: 70000'],
      body: 'x'.repeat(70_000),
    },
    // An announced body that is never sent completely.
    {
      method: 'POST',
      path: '/publish/fuzz',
      headers: [authorization, 'Content-Length: 60000'],
      body: 'x'.repeat(999),
    },
  ];
}

/** Texts that often break parsers. */
const MORSELS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  ':',
  '%',
  '%00',
  '%0d%0a',
  '%ff',
  '..%2f',
  '*',
  '\u00ff',
  '-1',
  '0',
  '1e400',
  '99999999999999999999',
  '0x10',
  '{',
  '[[[[[[[[',
  '"',
  '\\ud800',
  '\\u0000',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Connection: close\r\n',
  'Connection: Upgrade\r\nUpgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  'Expect: x\r\n',
  'Host: \r\n',
  'Last-Event-ID: \u00e9\r\n',
  'Content-Encoding: gzip\r\n',
  'CONNECT a:1 HTTP/1.1\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET * HTTP/1.1\r\n',
  ' HTTP/1.0\r\n',
];

const MUTATIONS: readonly Mutation[] = [
  function flip(bytes, random) {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[below(random, copy.length)] = below(random, 256);
    return copy;
  },
  function remove(bytes, random) {
    const [from, to] = range(bytes, random);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  function repeat(bytes, random) {
    const [from, to] = range(bytes, random);
    const part = bytes.subarray(from, to);
    return Buffer.concat([
      bytes.subarray(0, to),
      ...Array<Buffer>(1 + below(random, 20)).fill(part),
      bytes.subarray(to),
    ]);
  },
  function insert(bytes, random) {
    return inserted(bytes, Buffer.from(pick(random, MORSELS), 'latin1'), random);
  },
  function insertNoise(bytes, random) {
    return inserted(bytes, randomBytes(random, 40), random);
  },
  function insertLength(bytes, random) {
    return inserted(bytes, Buffer.alloc(below(random, 40_000), pick(random, MORSELS), 'latin1'), random);
  },
  function truncate(bytes, random) {
    return bytes.subarray(0, below(random, bytes.length + 1));
  },
];

function mutated(bytes: Buffer, random: Random): Buffer {
  let result = bytes;
  for (let left = below(random, 5); left > 0; left--) result = pick(random, MUTATIONS)(result, random);
  return result;
}

/** Splits the bytes into up to eight pieces, and sometimes into single bytes. */
function split(bytes: Buffer, random: Random): Buffer[] {
  const every = random() < 0.05 && bytes.length < 500;
  const cuts = every
    ? Array.from(bytes, (_, index) => index)
    : Array.from({ length: below(random, 8) }, () => below(random, bytes.length + 1)).toSorted(
        (a, b) => a - b,
      );
  const edges = [0, ...cuts, bytes.length];
  return edges.slice(1).flatMap((to, index) => {
    const piece = bytes.subarray(edges[index], to);
    return piece.length === 0 ? [] : [piece];
  });
}

function inserted(bytes: Buffer, part: Buffer, random: Random): Buffer {
  const at = below(random, bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
}

function range(bytes: Buffer, random: Random): [from: number, to: number] {
  const from = below(random, bytes.length + 1);
  return [from, Math.min(bytes.length, from + below(random, 200))];
}

function randomBytes(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: below(random, most) }, () => below(random, 256)));
}

function below(random: Random, end: number): number {
  return Math.floor(random() * end);
}

function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[below(random, choices.length)];
  if (choice === undefined) throw new RangeError('there is nothing to choose from');
  return choice;
}
