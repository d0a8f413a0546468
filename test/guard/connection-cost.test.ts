import { afterEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { openIdleSocket } from '../support/idle-socket.ts';
import { residentKib } from '../support/process-usage.ts';
import { readMetrics } from '../support/read-metrics.ts';

const CONNECTIONS = 3_000;
/** Resident memory of one connection, in KiB. A kept request, response and parser would take twice as much. */
const BOUND = 16;
const POLLS = 5_000;
/** Of one long poll, in KiB. */
const POLL_BOUND = 12;

let broker: Broker;
afterEach(() => broker.kill());

test.runIf(process.platform === 'linux').each([
  ['an idle connection', '/events/news', CONNECTIONS, BOUND],
  ['a long poll that waits', '/channels/news/events?wait=60s', POLLS, POLL_BOUND],
])('%s takes little memory', async (_what, path, connections, bound) => {
  broker = await startBroker();
  const open = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 100) {
      await Promise.all(Array.from({ length: 100 }, () => openIdleSocket(broker.port, path)));
    }
  };
  const opened = async (): Promise<number> => (await readMetrics(broker.url)).get('sluice_connections') ?? 0;
  // The first connections fill what the process keeps anyway: compiled code, pools, heap pages.
  await open(1_000);
  await expect.poll(opened).toBe(1_000);
  const before = await residentKib(broker.pid);
  await open(connections);
  await expect.poll(opened).toBe(1_000 + connections);
  const each = ((await residentKib(broker.pid)) - before) / connections;
  expect(each).toBeLessThan(bound);
});
