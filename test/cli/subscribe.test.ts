import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { runSluice } from '../support/run-program.ts';
import type { ProgramOptions, ProgramResult } from '../support/run-program.ts';
import { inSeconds, signToken } from '../support/sign-token.ts';
import { startOnTerminal, startSluice } from '../support/started-program.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-bytes';

let broker: Broker;
let env: Readonly<Record<string, string>>;
let folder: string;

beforeAll(async () => {
  broker = await startBroker({
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: 'p.*',
    SLUICE_JWT_CLOCK_TOLERANCE: '0s',
  });
  env = { SLUICE_URL: broker.url };
  folder = await mkdtemp(join(tmpdir(), 'sluice-subscribe-'));
});

afterAll(async () => {
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});

const subscribe = (line: string, options: ProgramOptions = {}): Promise<ProgramResult> =>
  runSluice(['subscribe', ...line.split(' ')], { env, ...options });

/** Publishes events to a channel, and ends it. */
async function endedChannel(channel: string, ...data: readonly string[]): Promise<readonly string[]> {
  const ids: string[] = [];
  for (const one of data) ids.push(await broker.publish(channel, one));
  await runSluice(['publish', channel, '--close'], { env: { ...env, SLUICE_KEY: broker.key } });
  return ids;
}

describe('a channel', () => {
  test('is printed to its end', async () => {
    const [one, two, three] = await endedChannel('p.ended', 'one', 'two\nlines', 'three');
    expect(await subscribe('p.ended --after earliest')).toEqual({
      code: 0,
      stdout: `${one}  one\n${two}  two\n    lines\n${three}  three\n`,
      stderr: 'p.ended has ended.\n',
    });
    expect((await subscribe('p.ended --last 1 --raw')).stdout).toBe('three\n');
    expect((await subscribe(`p.ended --after ${one} --raw`)).stdout).toBe('two\nlines\nthree\n');
    expect((await subscribe('p.ended --since 2020-01-01T00:00:00Z --json')).stdout).toBe(
      [
        { channel: 'p.ended', id: one, data: 'one' },
        { channel: 'p.ended', id: two, data: 'two\nlines' },
        { channel: 'p.ended', id: three, data: 'three' },
      ]
        .map((event) => `${JSON.stringify(event)}\n`)
        .join(''),
    );
  });

  test('begins with its state', async () => {
    const publishing = { env: { ...env, SLUICE_KEY: broker.key } };
    for (const args of [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ])
      await runSluice(['publish', 'p.state', args[1] ?? '', '--state-key', args[0] ?? ''], publishing);
    await endedChannel('p.state');
    expect((await subscribe('p.state --state --raw')).stdout).toBe('2\n3\n');
  });

  test('and others are followed together, each named in its lines', async () => {
    const [one] = await endedChannel('p.several.1', 'a');
    const [two] = await endedChannel('p.several.2', 'b');
    const { code, stdout } = await subscribe(
      `p.several.1 p.several.2 --after p.several.1@0-0,p.several.2@0-0`,
    );
    expect(code).toBe(0);
    expect(stdout.split('\n').toSorted()).toEqual(['', `${one}  p.several.1  a`, `${two}  p.several.2  b`]);
  });

  test('tells a gap', async () => {
    await broker.publish('p.gap', 'a');
    const { stdout, stderr } = await subscribe('p.gap --after 1-0 --json --count 1');
    const [gap] = stdout.split('\n');
    expect(JSON.parse(gap ?? '')).toMatchObject({ channel: 'p.gap', gap: true, after: '1-0' });
    expect(stderr).toContain('Events of p.gap may be missing after 1-0');
  });
});

describe('--exec', () => {
  test('runs a command for each event, in order', async () => {
    const [one, two] = await endedChannel('p.exec', 'a', 'b');
    const file = join(folder, 'exec');
    const command = `cat >> ${file}; echo " $SLUICE_CHANNEL $SLUICE_ID $SLUICE_EVENT" >> ${file}`;
    const { code } = await runSluice(['subscribe', 'p.exec', '--last', '9', '--exec', command], {
      env: { ...env, PATH: process.env['PATH'] ?? '' },
    });
    expect(code).toBe(0);
    expect(await readFile(file, 'utf8')).toBe(`a p.exec ${one} message\nb p.exec ${two} message\n`);
  });

  test('stops at a command that fails, or goes on', async () => {
    const [one, two] = await endedChannel('p.failing', 'a', 'b');
    const stopped = await subscribe('p.failing --last 9 --exec false');
    expect(stopped).toMatchObject({ code: 1, stdout: '' });
    expect(stopped.stderr).toBe(
      `sluice: The command failed (exit code 1) at the event ${one} of p.failing.\n`,
    );
    const { code, stderr } = await subscribe('p.failing --last 9 --exec false --keep-going');
    expect(code).toBe(0);
    expect(stderr).toContain(`at the event ${two} of p.failing.`);
  });
});

describe('a refusal ends the command', () => {
  test.each([
    ['private', 'No token was sent. Set SLUICE_TOKEN', 1],
    ['p.a --token no-token', 'The credential was the one of --token.', 1],
    [`private --token ${signToken({ sluice: { subscribe: ['other'] } }, SECRET)}`, '--token', 1],
    ['p.a --since yesterday', 'since', 1],
    ['p/a', 'The channel name holds "/"', 2],
    ['p.a --last 1 --since 1', "cannot be used with option '--since", 2],
    ['p.a --last 0', 'whole number', 2],
  ])('subscribe %s', async (line, message, code) => {
    const result = await subscribe(line);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toContain('no-token');
  });

  test('when the token expires', async () => {
    const token = signToken({ exp: inSeconds(1), sluice: { subscribe: ['private'] } }, SECRET);
    const { code, stderr } = await subscribe('private', { env: { ...env, SLUICE_TOKEN: token } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/SLUICE_TOKEN/);
  });
});

describe('an address without a broker ends the command', () => {
  const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
    page: (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
    failure: (response) => response.writeHead(500, { 'content-type': 'text/html' }).end('<h1>Oh no</h1>'),
    redirect: (response) => response.writeHead(302, { location: 'https://login.example/' }).end(),
    cut: (response) => response.destroy(),
  };
  let odd: PageServer;
  beforeAll(async () => {
    odd = await startPageServer((request, response) => {
      request.resume();
      answers[request.url?.split('/')[1] ?? '']?.(response);
    });
  });
  afterAll(() => odd?.close());

  test.each(['subscribe c', 'history c', 'publish c data', 'publish c --lines', 'publish --ndjson'])(
    'sluice %s',
    async (line) => {
      const run = (url: string): Promise<ProgramResult> =>
        runSluice(line.split(' '), { env: { SLUICE_URL: url, SLUICE_KEY: 'k' }, input: 'a\nb\n' });
      for (const [kind, message] of [
        ['page', 'answered 200 with text/html'],
        ['failure', 'answered 500 with text/html'],
        ['redirect', 'redirects to https://login.example/'],
        ['cut', 'closed the connection without an answer'],
      ]) {
        const { code, stdout, stderr } = await run(`${odd.origin}/${kind}`);
        expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect(stderr).toContain(message);
        if (line.startsWith('publish')) expect(stderr.includes('published')).toBe(kind === 'cut');
      }
      expect((await run(broker.url.replace('http:', 'https:'))).stderr).toContain('does not speak TLS');
      const { code, stderr } = await run(`http://127.0.0.1:${await freePort()}`);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^sluice: No broker listens at .*\n$/);
    },
  );
});

test('comes back after a killed broker, and misses and repeats nothing', async () => {
  const data = await dataFolder();
  const settings = { SLUICE_DATA_DIR: data.path, SLUICE_RETRY: '500ms' };
  const first = await startBroker(settings);
  const program = startSluice(['subscribe', 'c', '--count', '3', '--raw'], { SLUICE_URL: first.url });
  await expect
    .poll(async () => (await fetch(`${first.url}/metrics`)).text())
    .toContain('sluice_connections 1');
  await first.publish('c', 'one');
  await program.until('one\n');
  await first.publish('c', 'two');
  await first.kill();
  const second = await startBroker({ ...settings, PORT: String(first.port) });
  await second.publish('c', 'three');
  const { code, output } = await program.end();
  expect(code).toBe(0);
  expect(output).toContain('Trying again.');
  expect(output.split('\n').filter((line) => /^(?:one|two|three)$/.test(line))).toEqual([
    'one',
    'two',
    'three',
  ]);
  await second.stop();
  await data.remove();
});

describe('on a terminal', () => {
  test('control characters of events do nothing, and Ctrl-C says where to go on', async () => {
    const id = await broker.publish('p.evil', 'a\u001b[2J\u009b1mb\nc\u202e');
    const program = startOnTerminal('subscribe p.evil --last 1', env);
    await program.until('Listening to p.evil. Ctrl-C ends.');
    await program.until(String.raw`a\x1b[2J\x9b1mb`);
    program.child.stdin.write('\u0003');
    const { code, output } = await program.end();
    expect(code).toBe(130);
    expect(output).toContain(String.raw`    c\u202e`);
    expect(output).toContain(`Interrupted after 1 event. Go on with --after ${id}`);
  });

  test('an event whose command Ctrl-C interrupts does not count', async () => {
    const [one] = await endedChannel('p.cut', 'a', 'b');
    const command = 'test "$(cat)" = a || { echo started; exec sleep 60; }';
    const program = startOnTerminal(`subscribe p.cut --last 2 --exec '${command}'`, env);
    await program.until('started');
    program.child.stdin.write('\u0003');
    const { code, output } = await program.end();
    expect(code).toBe(130);
    expect(output).toContain(`Interrupted after 1 event. Go on with --after ${one}`);
  });

  test('Ctrl-C says where each channel goes on, also one without events', async () => {
    const program = startOnTerminal('subscribe p.busy p.quiet', env);
    await program.until('Listening to p.busy, p.quiet. Ctrl-C ends.');
    const id = await broker.publish('p.busy', 'before');
    await program.until('before');
    program.child.stdin.write('\u0003');
    const { output } = await program.end();
    const [, places = ''] = /Go on with --after (\S+)/.exec(output) ?? [];
    expect(places.split(',')).toContain(`p.busy@${id}`);
    await broker.publish('p.quiet', 'meanwhile');
    const resumed = await subscribe(`p.busy p.quiet --after ${places} --count 1 --json`);
    expect(resumed.stdout).toMatch(/^\{"channel":"p\.quiet",.*"data":"meanwhile"\}\n$/);
  });
});
