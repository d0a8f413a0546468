import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { runSluice } from '../support/run-program.ts';
import { MAIN, startProgram, startSluice } from '../support/started-program.ts';

let broker: Broker;
beforeAll(async () => {
  // A shell that has these for the commands may start a broker, too.
  broker = await startBroker({ SLUICE_URL: 'http://x.example', SLUICE_KEY: 'k', SLUICE_TOKEN: 't' });
});
afterAll(() => broker?.stop());

const context = {
  env: {},
  stdin: process.stdin,
  stdout: undefined as never,
  stderr: undefined as never,
  signal: new AbortController().signal,
};
const commands = COMMANDS.flatMap((group) => group.commands.map((make) => make(context)));
const names = commands.map((command) => command.name());
/** The commands that do something, with their parents. */
const paths = commands.flatMap(({ commands: below }, at) =>
  below.length === 0 ? [[names[at] ?? '']] : below.map((one) => [names[at] ?? '', one.name()]),
);

test('a broker starts with the variables of the commands, and warns of none', () => {
  expect(broker.log().filter((line) => line.includes('SLUICE_URL') || line.includes('"level":40'))).toEqual(
    [],
  );
});

describe('help', () => {
  test.each(paths.map((path) => path.join(' ')))(
    'of %s teaches with examples, in any width',
    async (name) => {
      const help = [...name.split(' '), '--help'];
      const { code, stdout } = await runSluice(help);
      expect(code).toBe(0);
      expect(stdout).toContain('Examples:\n');
      const narrow = await runSluice(help, { columns: 20 });
      const [described = ''] = stripVTControlCharacters(narrow.stdout).split('Examples:');
      const wide = described.split('\n').filter((line) => line.length > 20 && line.trim().includes(' '));
      // Terms such as `--data-dir <folder>` and the usage stay whole.
      expect(wide.filter((line) => !/^(?: {2}-|Usage:)/.test(line) && !/https?:/.test(line))).toEqual([]);
    },
  );

  test.each(['status', 'token', 'token mint'])('of %s is shown by help, too', async (name) => {
    const [shown, asked] = await Promise.all(
      [`help ${name}`, `${name} --help`].map((line) => runSluice(line.split(' '))),
    );
    expect(shown).toEqual(asked);
  });

  test.each(['nonsense', 'nonsense mint', 'token nonsense'])(
    'of %s, which is no command, is wrong use',
    async (name) => {
      const { code, stdout, stderr } = await runSluice(['help', ...name.split(' ')]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain("unknown command 'nonsense'");
    },
  );

  test('of the program names every command', async () => {
    const { code, stdout, stderr } = await runSluice(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  });
});

test.each([
  ['publsh', 'Did you mean publish?'],
  ['nonsense', "unknown command 'nonsense'"],
  ['--port 1', "unknown option '--port'"],
  ['history c --lat 2', 'Did you mean --last?'],
  ['history', "missing required argument 'channel'"],
])('sluice %s is wrong use', async (line, message) => {
  const { code, stdout, stderr } = await runSluice(line.split(' '));
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/Run "sluice help/);
});

test.each([
  'status --kye=a-secret',
  'status -xa-secret',
  'status a-secret',
  'token inspect a-secret a-secret',
])('sluice %s does not print the secret', async (line) => {
  const { code, stdout, stderr } = await runSluice(line.split(' '));
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toContain('secret');
  expect(stderr).toMatch(/^sluice: (?:unknown option '--?[a-z]+'|too many arguments)[^]*\nRun "sluice help/);
});

test('an error that cannot be written ends the command all the same', async () => {
  const line = `'${process.execPath}' '${MAIN}' status --url nonsense 2>/dev/full; echo "$?"`;
  expect((await startProgram('bash', ['--norc', '-c', line], {}).end()).output).toBe('2\n');
});

test('serve takes settings as options, and says which is invalid', async () => {
  const program = startSluice(['serve', '--port', '0', '--host', '127.0.0.1'], { PORT: '1' });
  await program.until('sluice is listening');
  program.child.kill('SIGTERM');
  expect((await program.end()).code).toBe(0);
  const wrong = startSluice(['serve', '--port', 'x'], {});
  expect(await wrong.end()).toMatchObject({ code: 1, output: expect.stringContaining('PORT') as string });
});

describe('history', () => {
  test('prints what is kept, in pages', async () => {
    const input = Array.from({ length: 1_000 }, (_, n) => `${n}\n`).join('');
    const env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
    await runSluice(['publish', 'h'], { env, input });
    const all = await runSluice(['history', 'h', '--json'], { env });
    expect(all.code).toBe(0);
    const events = all.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string; data: string });
    expect(events.map(({ data }) => `${data}\n`).join('')).toBe(input);
    const last = await runSluice(['history', 'h', '--last', '2'], { env });
    expect(last.stdout).toBe(`${events[998]?.id}  998\n${events[999]?.id}  999\n`);
    const limited = await runSluice(['history', 'h', '--after', events[0]?.id ?? '', '--limit', '1'], {
      env,
    });
    expect(limited.stdout).toBe(`${events[1]?.id}  1\n`);
    const gap = await runSluice(['history', 'h', '--after', '1-0', '--limit', '1', '--json'], { env });
    expect(JSON.parse(gap.stdout.split('\n')[0] ?? '')).toMatchObject({ gap: true, after: '1-0' });
    expect(gap.stderr).toContain('Events of h are missing here');
  });

  test('ends quietly when its reader does', async () => {
    const env = { SLUICE_URL: broker.url };
    const line = `'${process.execPath}' '${MAIN}' history h | head -1; echo "\${PIPESTATUS[0]}"`;
    const program = startProgram('bash', ['--norc', '-c', line], env);
    expect((await program.end()).output).toMatch(/^\d+-\d+ {2}0\n0\n$/);
  });
});

test.each(['history full', 'subscribe full --last 1000 --raw'])(
  'Ctrl-C ends "%s" when nobody reads its output',
  async (line) => {
    const env = { SLUICE_URL: broker.url, SLUICE_KEY: broker.key };
    // More than a pipe holds.
    await runSluice(['publish', 'full'], { env, input: `${'x'.repeat(1_000)}\n`.repeat(1_000) });
    const program = startSluice(line.split(' '), env);
    await once(program.child.stdout, 'readable');
    program.child.stdout.removeAllListeners('data').pause();
    const ended = once(program.child, 'exit');
    program.child.kill('SIGINT');
    expect((await ended)[0]).toBe(130);
  },
);

test('a second Ctrl-C ends a command at once', async () => {
  const program = startSluice(['subscribe', 'h', '--last', '1', '--exec', 'echo started; exec sleep 60'], {
    SLUICE_URL: broker.url,
  });
  await program.until('started');
  const ended = once(program.child, 'exit');
  program.child.kill('SIGINT');
  program.child.kill('SIGTERM');
  const [code] = (await ended) as [number];
  expect([130, 143]).toContain(code);
});
