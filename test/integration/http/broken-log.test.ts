import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Fifo } from '../../support/fifo.ts';
import { freePort } from '../../support/free-port.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openStream } from '../../support/sse-reader.ts';
import { readClosing } from '../../support/closing.ts';
import { CACHE, PROGRAM } from '../../support/started-program.ts';

const KEY = 'the-key-of-the-tests';

let folder: string;
let broker: ChildProcess;
let port: number;
let url: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-broken-log-'));
});
afterEach(() => {
  broker.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Starts a broker whose log output the test controls. */
async function start(stdio: StdioOptions, whenSpawned: () => void = () => undefined): Promise<void> {
  port = await freePort();
  url = `http://127.0.0.1:${port}`;
  broker = spawn(process.execPath, [PROGRAM], {
    cwd: folder,
    env: {
      HOST: '127.0.0.1',
      PORT: String(port),
      SLUICE_PUBLISH_KEYS: KEY,
      SLUICE_DRAIN_WINDOW: '0s',
      SLUICE_FAILED_AUTH_LIMIT: '1/m',
      NODE_COMPILE_CACHE: CACHE,
    },
    stdio,
  });
  whenSpawned();
  await expect.poll(live).toBe(200);
}

async function live(): Promise<number> {
  return await exchange(port, { path: '/livez' }).then(
    ({ status }) => status,
    () => 0,
  );
}

/** Makes the broker log something: a client sends wrong keys. */
async function makeItLog(): Promise<void> {
  const wrong = {
    method: 'POST',
    path: '/publish/news',
    headers: ['Authorization: Bearer wrong', 'Content-Length: 0'],
  };
  await exchange(port, wrong);
  expect((await exchange(port, wrong)).status).toBe(429);
}

async function publish(data: string): Promise<void> {
  const headers = { authorization: `Bearer ${KEY}` };
  const answer = await fetch(`${url}/publish/news`, { method: 'POST', headers, body: data });
  expect(answer.status).toBe(200);
}

/** Checks that the broker serves and stops as it does with a working log output. */
async function expectHealth(): Promise<void> {
  const stream = await openStream(`${url}/events/news`);
  await stream.until('sluice:ready');
  await makeItLog();
  await publish('x');
  expect((await stream.next()).data).toBe('x');
  expect(await live()).toBe(200);
  const exit = once(broker, 'exit');
  broker.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  await stream.ended;
  expect(readClosing(stream.text).reason).toBe('draining');
}

const dropped = async (): Promise<number> =>
  (await readMetrics(url)).get('sluice_log_lines_dropped_total') ?? NaN;

test('a full disk loses log lines only, and they are counted', async () => {
  const full = openSync('/dev/full', 'w');
  await start(['ignore', full, full]);
  closeSync(full);
  const before = await dropped();
  expect(before).toBeGreaterThan(0);
  await makeItLog();
  expect(await dropped()).toBeGreaterThan(before);
  await expectHealth();
});

test('a closed pipe loses log lines only, also on stderr', async () => {
  await start(['ignore', 'pipe', 'pipe'], () => {
    broker.stdout?.destroy();
    broker.stderr?.destroy();
  });
  await expect.poll(dropped).toBeGreaterThan(0);
  await expectHealth();
});

test('with a pipe that nobody reads, the broker works and the lines wait for a reader', async () => {
  const fifo = new Fifo();
  fifo.fill();
  const writer = fifo.writer();
  await start(['ignore', writer, writer]);
  expect(await dropped()).toBe(0);
  let text = '';
  await expect.poll(() => (text += fifo.read())).toContain('sluice is listening');
  fifo.fill();
  await expectHealth();
  fifo.remove();
});
