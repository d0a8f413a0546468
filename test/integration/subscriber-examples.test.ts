import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { findProgram } from '../support/find-program.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { runExample } from '../support/running-example.ts';
import type { RunningExample } from '../support/running-example.ts';
import { signToken } from '../support/sign-token.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';

const FOLDER = join(import.meta.dirname, '../../examples');
const SECRET = 'a secret of the tests that is long enough for HS256';
/** The first run of Go compiles its standard library. */
const LIMIT = 120_000;

/** Data that a careless parser reads wrongly, as sent and as delivered. */
const DATA: readonly (readonly [string, string])[] = [
  ['plain', 'plain'],
  ['', ''],
  ['one\ntwo\r\nthree\rfour\n', 'one\ntwo\nthree\nfour\n'],
  ['  blanks before, and after  ', '  blanks before, and after  '],
  [': a colon, id: 7, data: x', ': a colon, id: 7, data: x'],
  [
    '\u2028 \u2029 \u0085 \v \f \u001c are no ends of lines',
    '\u2028 \u2029 \u0085 \v \f \u001c are no ends of lines',
  ],
  ['Grüße 🎉 日本 \ufeff "\\" <b>&amp;', 'Grüße 🎉 日本 \ufeff "\\" <b>&amp;'],
  ['🎉'.repeat(50_000), '🎉'.repeat(50_000)],
  ['x'.repeat(1_000_000), 'x'.repeat(1_000_000)],
];

const folder = await mkdtemp(join(tmpdir(), 'sluice-examples-'));
/** How each example is started: undefined when this machine lacks the language. */
const commands: Readonly<Record<string, readonly string[] | undefined>> = {
  'subscribe.mjs': [process.execPath, join(FOLDER, 'subscribe.mjs')],
  'subscribe.py': found('python3', join(FOLDER, 'subscribe.py')),
  // Compiled once, because a killed `go run` leaves its program running.
  'subscribe.go': findProgram('go') === undefined ? undefined : [join(folder, 'subscribe')],
  'Subscribe.java': findProgram('javac') === undefined ? undefined : ['java', '-cp', folder, 'Subscribe'],
};
const runnable = Object.entries(commands).flatMap(([file, command]) =>
  command === undefined ? [] : [{ file, command }],
);

function found(program: string, ...args: readonly string[]): readonly string[] | undefined {
  return findProgram(program) === undefined ? undefined : [program, ...args];
}

let redis: RedisServer;
let broker: Broker;
let settings: Readonly<Record<string, string>>;
beforeAll(async () => {
  const left = Object.keys(commands).filter((file) => commands[file] === undefined);
  if (left.length > 0)
    console.warn(
      `tests: NOT RUN, because this machine lacks their languages: ${left.join(', ')} in examples/.`,
    );
  const compile = promisify(execFile);
  if (commands['subscribe.go'] !== undefined)
    await compile('go', ['build', '-o', join(folder, 'subscribe'), join(FOLDER, 'subscribe.go')]);
  if (commands['Subscribe.java'] !== undefined)
    await compile('javac', ['-Xlint:all', '-Werror', '-d', folder, join(FOLDER, 'Subscribe.java')]);
  redis = await startRedis();
  settings = {
    REDIS_URL: redis.url,
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_RETRY: '500ms',
    SLUICE_HEARTBEAT: '300ms',
  };
  broker = await startBroker(settings);
}, LIMIT);
afterAll(async () => {
  await broker.kill();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
});

type Finishing = Pick<TestContext, 'onTestFinished'>;

interface Options {
  readonly url?: string;
  readonly token?: string;
  readonly after?: string;
}

function start(
  { onTestFinished }: Finishing,
  command: readonly string[],
  channel: string,
  options: Options = {},
): RunningExample {
  const { url = broker.url, token = signToken({ sluice: { subscribe: ['*'] } }, SECRET), after } = options;
  const example = runExample([...command, channel, ...(after === undefined ? [] : [after])], {
    SLUICE_URL: url,
    SLUICE_TOKEN: token,
    SLUICE_SILENCE: '2',
  });
  onTestFinished(() => example.kill());
  return example;
}

/** A server that answers the requests with these answers in turn, and then with 204. */
async function startScript(
  { onTestFinished }: Finishing,
  ...answers: readonly ((response: ServerResponse) => void)[]
): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    const answer = answers[requests.push(request) - 1];
    if (answer === undefined) response.writeHead(204).end();
    else answer(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return { url: `http://127.0.0.1:${address.port}`, requests };
}

const stream = { 'content-type': 'text/event-stream; charset=utf-8' };

test('the example in the language that Sluice itself needs can run', () => {
  expect(runnable.map(({ file }) => file)).toContain('subscribe.mjs');
});

// Each example mostly waits, for the broker's retry or for a silence.
describe.concurrent.each(runnable)('examples/$file', ({ file, command }) => {
  test('prints each event once and in order while connections are cut and replicas end', async (context) => {
    const channel = `examples.${file}.exact`;
    // The other replica takes publishes while the first one is down.
    const other = await startBroker(settings);
    context.onTestFinished(() => void other.kill());
    let replica = await startBroker(settings);
    context.onTestFinished(() => void replica.kill());
    const relay = await startTcpRelay(replica.port);
    context.onTestFinished(() => relay.close());
    const first = await other.publish(channel, 'the first');
    const example = start(context, command, channel, { url: relay.url, after: first });
    const expected: unknown[] = [];
    const seen: unknown[] = [];
    const publishAll = async (event: string): Promise<void> => {
      for (const [sent, delivered] of DATA)
        expected.push({ id: await other.publish(channel, sent, event), event, data: delivered });
    };
    const readAll = async (): Promise<void> => {
      while (seen.length < expected.length) seen.push(await example.next());
    };
    await publishAll('at first');
    await readAll();
    relay.cut();
    await publishAll('after a cut');
    await readAll();
    for (const end of [() => replica.kill(), () => replica.stop('SIGTERM')]) {
      await end();
      await publishAll('while the replica is down');
      replica = await startBroker({ ...settings, PORT: String(replica.port) });
      await readAll();
    }
    expect(seen).toEqual(expected);
    const last = await other.publish(channel, 'and nothing else');
    expect(await example.next()).toMatchObject({ id: last });
  });

  test('reports a gap, then goes on with the kept events', async (context) => {
    const channel = `examples.${file}.gap`;
    const id = await broker.publish(channel, 'kept');
    const example = start(context, command, channel, { after: '1-0' });
    expect(await example.next()).toEqual({ gap: { channel, after: '1-0', before: id } });
    expect(await example.next()).toEqual({ id, event: 'message', data: 'kept' });
  });

  test('reconnects when the connection has died without a sign', async (context) => {
    const channel = `examples.${file}.silence`;
    const relay = await startTcpRelay(broker.port);
    context.onTestFinished(() => relay.close());
    const after = await broker.publish(channel, 'before');
    await broker.publish(channel, 'one');
    const example = start(context, command, channel, { url: relay.url, after });
    expect(await example.next()).toMatchObject({ data: 'one' });
    const before = relay.accepted;
    relay.abandonOpen();
    await broker.publish(channel, 'two');
    expect(await example.next()).toMatchObject({ data: 'two' });
    expect(relay.accepted).toBeGreaterThan(before);
  });

  test('stops and says why when it is refused for good', async (context) => {
    const relay = await startTcpRelay(broker.port);
    context.onTestFinished(() => relay.close());
    const expired = signToken({ exp: 1, sluice: { subscribe: ['*'] } }, SECRET);
    const others = signToken({ sluice: { subscribe: ['another'] } }, SECRET);
    for (const [token, status] of [
      [expired, '401'],
      [others, '403'],
    ] as const) {
      const before = relay.accepted;
      const example = start(context, command, 'news', { url: relay.url, token });
      expect(await example.exit).toBe(1);
      expect(example.stderr).toContain(status);
      expect(relay.accepted).toBe(before + 1);
    }
  });

  test('ends when the channel has ended', async (context) => {
    const end = 'id: 1-0\ndata: last\n\nid: 1-0\nevent: sluice:end\ndata: {"channel":"news"}\n\n';
    const script = await startScript(context, (response) => response.writeHead(200, stream).end(end));
    const example = start(context, command, 'news', { url: script.url });
    expect(await example.next()).toEqual({ id: '1-0', event: 'message', data: 'last' });
    expect(await example.exit, example.stderr).toBe(0);
    expect(script.requests.length).toBe(1);
  });

  test('reconnects after a 503, a broken event and a passing refusal, and ends with a 204', async (context) => {
    const closing = 'retry: 500\nid: 2-0\nevent: sluice:closing\ndata: {"reason":"limit","retry":500}\n\n';
    const script = await startScript(
      context,
      (response) => response.writeHead(503).end('not now'),
      (response) =>
        response.writeHead(200, stream).end('retry: 500\n\nid: 1-0\ndata: whole\n\nid: 9-0\ndata: bro'),
      (response) => response.writeHead(200, stream).end(`id: 2-0\nevent: sluice:ready\ndata: {}\n\n`),
      (response) => response.writeHead(200, stream).end(closing),
      (response) => {
        response
          .writeHead(200, stream)
          .write('id: 3-0\ndata: an\n\nid: 4-0\ndata: other\n', () => response.destroy());
      },
    );
    const example = start(context, command, 'news', { url: script.url, token: 'a.b.c' });
    expect(await example.next()).toEqual({ id: '1-0', event: 'message', data: 'whole' });
    expect(await example.next()).toEqual({ id: '3-0', event: 'message', data: 'an' });
    expect(await example.exit, example.stderr).toBe(0);
    expect(script.requests.map(({ headers }) => headers['last-event-id'])).toEqual([
      undefined,
      undefined,
      '1-0',
      '2-0',
      '2-0',
      '3-0',
    ]);
    expect(script.requests.map(({ headers }) => headers.authorization)).toEqual(
      Array.from({ length: 6 }, () => 'Bearer a.b.c'),
    );
    expect(example.stderr).toContain('"limit"');
  });
});
