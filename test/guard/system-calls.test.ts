import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { systemCallsOf } from '../support/process-usage.ts';
import type { SystemCalls } from '../support/process-usage.ts';
import { openStream } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { publishLoad } from './publish-load.ts';

/** What the broker asks of the kernel, in calls. The counts are the same on every machine, busy or not. */

const TIMES = 500;

let broker: Broker;
let streams: SseStream[];
beforeEach(async () => {
  broker = await startBroker();
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.close();
  await broker.kill();
});

/** Returns the calls of the broker for each of so many times, once `work` is done. */
async function callsFor(times: number, work: () => Promise<void>): Promise<SystemCalls> {
  const before = await systemCallsOf(broker.pid);
  await work();
  const after = await systemCallsOf(broker.pid);
  return { reads: (after.reads - before.reads) / times, writes: (after.writes - before.writes) / times };
}

async function open(path: string): Promise<void> {
  const stream = await openStream(`${broker.url}${path}`);
  streams.push(stream);
  await stream.until('sluice:ready');
}

// Timers, garbage collection and compilers in other threads wake the event loop by reads and writes of their own.
const OWN = 0.2;

test.runIf(process.platform === 'linux')(
  'a publish takes one read and one write, and its delivery one write',
  async () => {
    await publishLoad(broker, 1, 50);
    const alone = await callsFor(TIMES, () => publishLoad(broker, 1, TIMES));
    expect(alone.reads).toBeLessThan(1 + OWN);
    expect(alone.writes).toBeLessThan(1 + OWN);
    await open('/events/news');
    const heard = await callsFor(TIMES, () => publishLoad(broker, 1, TIMES));
    expect(heard.reads).toBeLessThan(1 + OWN);
    expect(heard.writes).toBeLessThan(2 + OWN);
  },
);

test.runIf(process.platform === 'linux')(
  'a stream opens by one read and one write, also with events that were missed',
  async () => {
    const id = await broker.publish('news', 'x');
    await publishLoad(broker, 1, 100);
    for (const path of ['/events/news', `/events/news?lastEventId=${id}`]) {
      await open(path);
      const opened = await callsFor(TIMES, async () => {
        for (let i = 0; i < TIMES; i++) await open(path);
      });
      expect(opened.reads).toBeLessThan(1 + OWN);
      expect(opened.writes).toBeLessThan(1 + OWN);
    }
  },
);
