import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogOutput } from '../../../src/observe/log-output.ts';
import { Fifo } from '../../support/fifo.ts';

const FILE = join(import.meta.dirname, '../../../src/observe/log-output.ts');
/** More lines than a pipe and the limit of waiting lines take together. */
const MANY = 20_000;

const line = (n: number): string => `{"n":${n},"fill":"${'x'.repeat(100)}"}\n`;
const parsed = (text: string): { n?: number; lost?: number }[] =>
  text
    .trimEnd()
    .split('\n')
    .map((one) => JSON.parse(one) as { n?: number; lost?: number });

let fifo: Fifo;
beforeEach(() => {
  fifo = new Fifo();
});
afterEach(() => fifo.remove());

test('a line is in the file when the call returns', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  const path = join(folder, 'log');
  const fd = openSync(path, 'a');
  const output = new LogOutput(fd);
  for (let n = 0; n < 100; n++) {
    output.write(line(n));
    expect(parsed(readFileSync(path, 'utf8')).at(-1)).toMatchObject({ n });
  }
  expect(output.dropped).toBe(0);
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

test('on a full disk, lines are dropped and counted', () => {
  const fd = openSync('/dev/full', 'w');
  const output = new LogOutput(fd);
  for (let n = 0; n < 10; n++) output.write(line(n));
  expect(output.dropped).toBe(10);
  closeSync(fd);
});

test('with a pipe that nobody reads, lines wait up to a limit, and a line says how many are missing', async () => {
  const output = new LogOutput(fifo.writer());
  for (let n = 0; n < MANY; n++) output.write(line(n));
  const { dropped } = output;
  expect(dropped).toBeGreaterThan(0);
  let text = '';
  await expect
    .poll(() => {
      text += fifo.read();
      return text;
    })
    .toContain('"lost"');
  output.write(line(MANY));
  text += fifo.read();
  const lines = parsed(text);
  const kept = MANY - dropped;
  expect(lines.slice(0, kept).map(({ n }) => n)).toEqual(Array.from({ length: kept }, (_, n) => n));
  expect(lines.slice(kept)).toMatchObject([{ level: 40, lost: dropped }, { n: MANY }]);
  expect(output.dropped).toBe(dropped);
  // The pipe holds 64 KiB, and 256 KiB wait. On some systems pipes are larger.
  expect(kept * line(0).length).toBeLessThan(2 * 1024 ** 2);
});

test('a line longer than the pipe arrives whole', async () => {
  const output = new LogOutput(fifo.writer());
  const long = `${'y'.repeat(200_000)}\n`;
  output.write(long);
  output.write('next\n');
  let text = '';
  await expect.poll(() => (text += fifo.read())).toBe(`${long}next\n`);
  expect(output.dropped).toBe(0);
});

describe('with a closed pipe', () => {
  test('lines are dropped and counted, and are written again when there is a reader', () => {
    const output = new LogOutput(fifo.writer());
    output.write(line(0));
    expect(parsed(fifo.read())).toMatchObject([{ n: 0 }]);
    fifo.closeReader();
    for (let n = 1; n <= 3; n++) output.write(line(n));
    expect(output.dropped).toBe(3);
    fifo.openReader();
    output.write(line(4));
    output.write(line(5));
    expect(parsed(fifo.read())).toMatchObject([{ lost: 3 }, { n: 4 }, { n: 5 }]);
  });
});

const script = (lines: number): string => `
  import { LogOutput } from ${JSON.stringify(FILE)};
  const output = new LogOutput(1);
  for (let n = 0; n < ${lines}; n++) output.write(JSON.stringify({ n, fill: 'x'.repeat(100) }) + '\\n');
  process.exit(7);`;
const run = (lines: number): ReturnType<typeof spawn> =>
  spawn(process.execPath, ['--input-type=module', '-e', script(lines)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

describe('at exit, the process', () => {
  test('has written everything that the reader has room for', async () => {
    const child = run(2_000);
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    expect(await once(child, 'close')).toEqual([7, null]);
    expect(parsed(text).map(({ n }) => n)).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
  });

  test('does not wait for a reader that never reads', async () => {
    const child = run(MANY);
    child.stdout?.pause();
    expect(await once(child, 'exit')).toEqual([7, null]);
    child.stdout?.destroy();
  });
});
