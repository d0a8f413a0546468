import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { runSluice } from '../support/run-program.ts';
import type { ProgramOptions, ProgramResult } from '../support/run-program.ts';
import { MAIN, startOnTerminal, startProgram, startSluice } from '../support/started-program.ts';

const ID = /^\d+-\d+\n$/;
/** SLUICE_MAX_BODY_BYTES has this default. */
const MAX_BODY_BYTES = 1_024 ** 2;

let broker: Broker;
let env: Readonly<Record<string, string>>;
let folder: string;

beforeAll(async () => {
  broker = await startBroker({ SLUICE_HISTORY_SIZE: '5000' });
  env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
  folder = await mkdtemp(join(tmpdir(), 'sluice-publish-'));
});

afterAll(async () => {
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
});

const publish = (line: string, options: ProgramOptions = {}): Promise<ProgramResult> =>
  runSluice(['publish', ...line.split(' ')], { env, ...options });

interface Kept {
  readonly id: string;
  readonly event?: string;
  readonly key?: string;
  readonly data: string;
}

/** The kept events of a channel. */
async function kept(channel: string): Promise<readonly Kept[]> {
  const response = await fetch(`${broker.url}/channels/${channel}/events?after=earliest&limit=10000`);
  return ((await response.json()) as { events: readonly Kept[] }).events;
}

const data = async (channel: string): Promise<readonly string[]> =>
  (await kept(channel)).map((event) => event.data);

describe('one event', () => {
  test('is published with its type and key, and its id is printed', async () => {
    const { code, stdout, stderr } = await publish('one {"a":1} --event created --state-key k');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [event] = await kept('one');
    expect(event).toMatchObject({ event: 'created', key: 'k', data: '{"a":1}' });
    expect(stdout).toBe(`${event?.id}\n`);
  });

  test('goes to several channels', async () => {
    const { code, stdout } = await publish('-c several.1 -c several.2 hello');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^several\.1 \d+-\d+\nseveral\.2 \d+-\d+\n$/);
    expect(await data('several.2')).toEqual(['hello']);
  });

  test('is a whole file', async () => {
    const file = join(folder, 'page.html');
    await writeFile(file, '<p>\n\n</p>\n');
    expect((await publish(`file --file ${file}`)).stdout).toMatch(ID);
    expect(await data('file')).toEqual(['<p>\n\n</p>\n']);
  });

  test('is a file of the system, whose size is not known', async () => {
    expect((await publish('of.system --file /proc/self/status')).code).toBe(0);
    expect((await data('of.system'))[0]).toContain('Pid:');
  });

  test('is published once with an idempotency key', async () => {
    const first = await publish('once a --idempotency-key k1 --json');
    const second = await publish('once a --idempotency-key k1 --json');
    expect(second).toEqual(first);
    expect(JSON.parse(first.stdout)).toMatchObject({ channel: 'once' });
    expect(await data('once')).toEqual(['a']);
  });

  test('is refused when another event came before it', async () => {
    expect((await publish('condition a --if-last 0-0')).code).toBe(0);
    const { code, stderr } = await publish('condition b --if-last 0-0');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sluice: /);
  });

  test('ends its channel, which takes no other', async () => {
    expect((await publish('ending last --close')).code).toBe(0);
    const { code, stderr } = await publish('ending more');
    expect(code).toBe(1);
    expect(stderr).toContain('The channel has ended.');
  });

  test('needs no data to end a channel, at a terminal', async () => {
    expect((await publish('ended --close')).stdout).toMatch(ID);
    expect(await kept('ended')).toEqual([]);
  });
});

describe('an input', () => {
  test('is an event for each line', async () => {
    const { code, stdout, stderr } = await publish('lines --event line', { input: 'a\n\nb\r\nc' });
    expect(code).toBe(0);
    expect(await data('lines')).toEqual(['a', 'b', 'c']);
    const last = (await kept('lines')).at(-1);
    expect(last?.event).toBe('line');
    expect(stdout).toBe(`${last?.id}\n`);
    expect(stderr).toBe(`3 events published, the last ${last?.id}\n`);
  });

  test('is an event stream, which ends the channel', async () => {
    const input = 'id: 7\nevent: token\ndata: a\ndata: b\n\ndata: cut off';
    const { code, stderr } = await publish('stream --sse --close', { input });
    expect(code).toBe(0);
    expect(stderr).toContain('1 event published');
    expect(await kept('stream')).toMatchObject([{ event: 'token', data: 'a\nb' }]);
    expect((await publish('stream more')).code).toBe(1);
  });

  test('may be empty', async () => {
    expect(await publish('empty', { input: '' })).toEqual({
      code: 0,
      stdout: '',
      stderr: '0 events published\n',
    });
  });

  test('is refused at a line that is too long, with the number of events before it', async () => {
    const input = `a\nb\n${'x'.repeat(10 * MAX_BODY_BYTES)}\nc\n`;
    const { code, stdout, stderr } = await publish('long', { input });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^sluice: A line has more than 1048576 bytes.*in the log: 2\.\n$/);
    expect(await data('long')).toEqual(['a', 'b']);
  });

  test('of many events is divided into bodies', async () => {
    const file = join(folder, 'many.ndjson');
    const lines = Array.from({ length: 2_500 }, (_, n) =>
      JSON.stringify({ channel: `many.${n % 2}`, data: n }),
    );
    await writeFile(file, lines.join('\n'));
    const send = (): Promise<ProgramResult> => publish(`--ndjson --file ${file} --idempotency-key m`);
    const { code, stderr } = await send();
    expect(code).toBe(0);
    expect(stderr).toMatch(/^2,500 events published, the last /);
    // Sent again it publishes nothing.
    expect((await send()).code).toBe(0);
    expect(await data('many.1')).toEqual(
      lines
        .keys()
        .map(String)
        .filter((_, n) => n % 2 === 1)
        .toArray(),
    );
  });

  test('of many events says in which lines a fault is, and how many events came before', async () => {
    const good = '{"channel":"faulty","data":"x"}\n';
    const { code, stderr } = await publish('--ndjson --idempotency-key f', {
      input: `${good.repeat(1_000)}\n${good}{"chanel":"faulty"}\n`,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sluice: In the lines from 1002 on.*Published before that: 1,000 events\.\n$/);
  });

  test('that cannot be read is told', async () => {
    const { code, stderr } = await publish(`unread --lines --file ${folder}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sluice: Cannot read .*EISDIR/);
  });
});

describe('wrong use', () => {
  test.each([
    ['a b --file c', 'Give the data or --file, not both.'],
    ['a b --lines', '--lines and --sse divide an input'],
    ['-c a -c b', 'Each line of an input goes to one channel.'],
    ['a --ndjson', 'each line names its channel'],
    ['a --lines --sse', "cannot be used with option '--sse'"],
    ['a b --evnt x', '(Did you mean --event?)'],
    ['a b --url ftp://x', 'is not the URL of a broker'],
  ])('publish %s', async (line, message) => {
    const { code, stdout, stderr } = await publish(line, { input: 'x' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('names the character that no channel has', async () => {
    const { code, stderr } = await publish('a/b x');
    expect(code).toBe(1);
    expect(stderr).toContain('The channel name holds "/"');
  });
});

test('publishes all events when the reader of the answers goes away', async () => {
  const input = join(folder, 'unread.ndjson');
  const events = Array.from({ length: 3_000 }, (_, n) => `{"channel":"unread","data":${n}}\n`);
  await writeFile(input, events.join(''));
  const program = startProgram(
    'bash',
    ['--norc', '-c', `'${process.execPath}' '${MAIN}' publish --ndjson --json -f '${input}' | head -1`],
    env,
  );
  const { output } = await program.end();
  expect(output).toMatch(/^\{"channel":"unread",[^\n]*\n3,000 events published, the last \d+-\d+\n$/);
  expect(await kept('unread')).toHaveLength(3_000);
});

describe('Ctrl-C', () => {
  test('ends an upload after its last whole line, and says what was published', async () => {
    const program = startSluice(['publish', 'interrupted', '--close'], env);
    program.child.stdin.write('a\nb\nhalf of a li');
    await expect.poll(() => data('interrupted')).toEqual(['a', 'b']);
    program.child.kill('SIGINT');
    const { code, output } = await program.end();
    const last = (await kept('interrupted')).at(-1)?.id;
    expect(code).toBe(130);
    expect(output).toBe(`${last}\nInterrupted: 2 events published, the last ${last}\n`);
    // The channel did not end.
    expect((await publish('interrupted c')).code).toBe(0);
  });

  test('ends an input of lines that somebody types', async () => {
    const program = startOnTerminal('publish typed', env);
    await program.until('Each line is an event. Ctrl-D ends the input.');
    program.child.stdin.write('hello\n');
    await expect.poll(() => data('typed')).toEqual(['hello']);
    program.child.stdin.write('\u0003');
    const { code, output } = await program.end();
    expect(code).toBe(130);
    expect(output).toContain('Interrupted: 1 event published');
  });
});
