import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { readUntil } from '../support/idle-socket.ts';
import { cpuOf } from '../support/process-usage.ts';
import { requestBytes } from '../support/raw-http.ts';

const EVENTS = 100;
const READS = 300;
const ROUNDS = 2;
/** The ratio is about 1. */
const MOST = 3;

let broker: Broker;
afterEach(() => broker.kill());

/** Returns the CPU ticks that the broker uses to give a page of 100 events many times, each time on a new connection. */
async function round(path: string, last: string): Promise<number> {
  const before = await cpuOf(broker.pid);
  for (let i = 0; i < READS; i++) {
    const socket = connect(broker.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(requestBytes({ path }));
    await readUntil(socket, last);
  }
  return (await cpuOf(broker.pid)) - before;
}

const asJson = (): Promise<number> => round('/channels/news/events?after=0-0', '"ended":false}');
const asStream = (): Promise<number> => round('/events/news?last_event_id=0-0', 'sluice:ready');

test.runIf(process.platform === 'linux')('a page costs as JSON hardly more than as a stream', async () => {
  broker = await startBroker();
  for (let i = 0; i < EVENTS; i++) await broker.publish('news', `${i} ${'x'.repeat(100)}`);
  await asJson();
  await asStream();
  let json = 0;
  let stream = 0;
  for (let i = 0; i < ROUNDS; i++) {
    json += await asJson();
    stream += await asStream();
  }
  expect(json / stream).toBeLessThan(MOST);
});
