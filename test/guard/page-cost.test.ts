import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { readUntil } from '../support/idle-socket.ts';
import { cpuOf } from '../support/process-usage.ts';
import { requestBytes } from '../support/raw-http.ts';

const EVENTS = 400;
const READS = 200;
const ROUNDS = 3;
/** The ratio is 2.5, so an event costs less than a hundredth of a page. */
const MOST = 5;

let broker: Broker;
afterEach(() => broker.kill());

/** Returns the CPU ticks that the broker uses to answer with the first events many times, each time on a new connection. */
async function round(limit: number): Promise<number> {
  const path = `/channels/news/events?after=0-0&limit=${limit}`;
  const before = await cpuOf(broker.pid);
  for (let i = 0; i < READS; i++) {
    const socket = connect(broker.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(requestBytes({ path }));
    await readUntil(socket, '"ended":false}');
  }
  return (await cpuOf(broker.pid)) - before;
}

test.runIf(process.platform === 'linux')('an event of a page costs little beside the page', async () => {
  broker = await startBroker();
  for (let i = 0; i < EVENTS; i++) await broker.publish('news', `${i} ${'x'.repeat(100)}`);
  await round(EVENTS);
  await round(1);
  let many = 0;
  let one = 0;
  for (let i = 0; i < ROUNDS; i++) {
    many += await round(EVENTS);
    one += await round(1);
  }
  expect(many / one).toBeLessThan(MOST);
});
