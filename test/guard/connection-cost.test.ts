import { readFile } from 'node:fs/promises';
import { afterEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { openIdleSocket } from '../support/idle-socket.ts';
import { readMetrics } from '../support/read-metrics.ts';

const CONNECTIONS = 3_000;
/** Resident memory of one connection, in KiB. A kept request, response and parser would take twice as much. */
const BOUND = 16;

let broker: Broker;
afterEach(() => broker.kill());

async function residentKib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
}

test.runIf(process.platform === 'linux')('an idle connection takes little memory', async () => {
  broker = await startBroker();
  const open = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 100) {
      await Promise.all(Array.from({ length: 100 }, () => openIdleSocket(broker.port, '/events/news')));
    }
  };
  const opened = async (): Promise<number> => (await readMetrics(broker.url)).get('sluice_connections') ?? 0;
  // The first connections fill what the process keeps anyway: compiled code, pools, heap pages.
  await open(1_000);
  await expect.poll(opened).toBe(1_000);
  const before = await residentKib(broker.pid);
  await open(CONNECTIONS);
  await expect.poll(opened).toBe(1_000 + CONNECTIONS);
  const each = ((await residentKib(broker.pid)) - before) / CONNECTIONS;
  expect(each).toBeLessThan(BOUND);
});
