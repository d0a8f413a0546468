import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { runSluice } from '../support/run-program.ts';

const run = promisify(execFile);

let script: string;

beforeAll(async () => {
  script = (await runSluice(['completion', 'bash'])).stdout;
});

/** What bash offers for the last word. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const lines = [
    script,
    // The function that bash would call.
    'call=$(complete -p sluice); call=${call#*-F }; call=${call%% *}',
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "$call"; printf "%s\\n" "${COMPREPLY[@]}"',
  ];
  const { stdout } = await run('bash', ['-c', lines.join('\n'), 'bash', 'sluice', ...words]);
  return stdout.split('\n').filter((line) => line !== '');
}

test.each([
  [['st'], ['status']],
  [['token', 'm'], ['mint']],
  [['token', 'mint', '--secret'], ['--secret-file']],
  [['top', '--sort', 's'], ['subscribers']],
  [['top', '--limit', ''], []],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['--vers'], ['--version']],
])('bash completes %j', async (words, expected) => {
  expect(await offered(...words)).toEqual(expected);
});

test('bash offers every command', async () => {
  const { stdout: help } = await runSluice(['--help']);
  for (const command of await offered('')) expect(help).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
});

test.each(['zsh', 'fish'])('the script for %s names all commands', async (shell) => {
  const { code, stdout } = await runSluice(['completion', shell]);
  expect(code).toBe(0);
  for (const command of await offered('')) expect(stdout).toContain(command);
});

test('refuses another shell, and names those that it knows', async () => {
  const { code, stdout, stderr } = await runSluice(['completion', 'cmd']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('bash, zsh, fish');
});
