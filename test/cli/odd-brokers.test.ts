import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { runSluice } from '../support/run-program.ts';
import { signToken } from '../support/sign-token.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-bytes';

const EVIL = '\u001b[2J';
const EVIL_EVENT = { channel: EVIL, id: EVIL, data: EVIL };

const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  page: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
  failure: (response) => response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Oh no</h1>'),
  redirect: (response) => response.writeHead(302, { location: 'https://login.example/' }).end(),
  list: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('[1, 2]'),
  object: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
  // JSON of a broker that writes to the terminal of its users.
  evil: (response) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(
        JSON.stringify({ id: EVIL, last: EVIL, published: 1, token: EVIL, next: EVIL, events: [EVIL_EVENT] }),
      ),
  broken: (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"a":'),
};

/** Every command that talks to a broker. */
const COMMANDS = [
  'status',
  'channels',
  'channel orders.1',
  'top',
  'who orders.1',
  'delete --yes orders.1',
  'disconnect --channel orders.1',
  'token mint --admin --key k',
  'bench',
];

let odd: PageServer;
let broker: Broker;
let nobody: string;

beforeAll(async () => {
  odd = await startPageServer((request, response) => {
    // The URL of the odd broker has the kind of its answers as its path.
    const kind = request.url?.split('/')[1] ?? '';
    request.resume();
    ANSWERS[kind]?.(response);
  });
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET });
  nobody = `http://127.0.0.1:${await freePort()}`;
});

afterAll(async () => {
  await odd?.close();
  await broker?.stop();
});

describe.each(COMMANDS)('sluice %s', (line) => {
  const run = (url: string, key = 'k') => {
    const args = line.replace('--key k', `--key ${key}`).split(' ');
    return runSluice(args, { env: { SLUICE_URL: url, SLUICE_KEY: key } });
  };

  test('says that no broker listens', async () => {
    const { code, stdout, stderr } = await run(nobody);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^sluice: No broker listens at .* Start one with "sluice serve"[^\n]*\n$/);
  });

  test.each([
    ['page', 'answered 200 with text/html'],
    ['failure', 'answered 500 with text/html'],
    ['redirect', 'redirects to https://login.example/'],
    ['broken', 'answered 200 with application/json'],
  ])('explains an answer that is no broker’s: %s', async (kind, message) => {
    const { code, stdout, stderr } = await run(`${odd.origin}/${kind}`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test('says which credential was wrong, and does not show it', async () => {
    const { code, stderr } = await run(broker.url, 'a-wrong-key');
    expect(code).toBe(1);
    expect(stderr).toMatch(/The credential was the one of (?:SLUICE_KEY|--key)\./);
    expect(stderr).not.toContain('a-wrong-key');
  });

  test('says what a token does not allow', async () => {
    const { code, stderr } = await run(broker.url, signToken({ sluice: { publish: ['other'] } }, SECRET));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sluice: .*(?:allow|grant|publish key)/);
  });
});

test.each([
  'status',
  'channels',
  'channel orders.1',
  'top',
  'who orders.1',
  'disconnect --sub a',
  'token mint --admin --key k',
  'delete --yes orders.1',
  'history orders.1',
  'publish orders.1 data',
  'publish orders.1 --lines',
  'publish --ndjson',
])('sluice %s explains JSON of another server', async (line) => {
  for (const kind of ['list', 'object']) {
    const env = { SLUICE_URL: `${odd.origin}/${kind}`, SLUICE_KEY: 'k' };
    const { code, stdout, stderr } = await runSluice(line.split(' '), { env, input: '{}\n' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^sluice: The answer [^\n]*broker[^\n]*\n$/);
  }
});

test.each([
  'history orders.1 --limit 1',
  'publish orders.1 data',
  'publish --channel orders.1 --channel orders.2 data',
  'publish orders.1 --lines',
  'publish --ndjson',
  'token mint --admin --key k',
])('sluice %s keeps control characters from the terminal', async (line) => {
  const env = { SLUICE_URL: `${odd.origin}/evil`, SLUICE_KEY: 'k' };
  const { code, stdout, stderr } = await runSluice(line.split(' '), { env, input: '{}\n', columns: 80 });
  expect(code).toBe(0);
  expect(stdout).toContain(String.raw`\x1b[2J`);
  expect(stdout + stderr).not.toContain(EVIL);
});

test('a URL that is none is shown without its password', async () => {
  const { code, stderr } = await runSluice(['status'], { env: { SLUICE_URL: 'htp://me:a-secret@broker' } });
  expect(code).toBe(2);
  expect(stderr).toContain('"htp://…@broker" is not the URL of a broker');
});
