import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { CACHE, PROGRAM } from '../../support/started-program.ts';

let folder: string;
let ends: (() => Promise<unknown>)[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-key-'));
  ends = [];
});
afterEach(async () => {
  for (const end of ends) await end();
  await rm(folder, { recursive: true, force: true });
});

/**
 * Starts a broker without a key in the folder. Resolves when it listens or has ended; returns the exit code if it has
 * ended.
 */
async function start(port: number): Promise<{ code: number | undefined; stop: () => Promise<unknown> }> {
  const env = { HOST: '127.0.0.1', PORT: String(port), SLUICE_DRAIN_WINDOW: '0s', NODE_COMPILE_CACHE: CACHE };
  const child = spawn(process.execPath, [PROGRAM], { cwd: folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
  const exit = once(child, 'exit');
  const stop = async (): Promise<unknown> => (child.kill('SIGTERM'), await exit);
  ends.push(stop);
  for await (const line of createInterface(child.stdout))
    if (line.includes('sluice is listening')) return { code: undefined, stop };
  return { code: ((await exit) as [number])[0], stop };
}

const key = (): Promise<string> => readFile(join(folder, '.publish-key'), 'utf8');

test("a second broker on the same port leaves the first broker's key file unchanged", async () => {
  const port = await freePort();
  expect((await start(port)).code).toBeUndefined();
  const first = await key();
  expect((await start(port)).code).toBe(1);
  expect(await key()).toBe(first);
});

test('a broker removes its own key file, and not that of another broker', async () => {
  const first = await start(await freePort());
  const second = await start(await freePort());
  const newest = await key();
  await first.stop();
  expect(await key()).toBe(newest);
  await second.stop();
  await expect(key()).rejects.toThrow('ENOENT');
});
