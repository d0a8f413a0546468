import { afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { startHeld } from '../../support/held-start.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
afterEach(() => broker.kill());

const parsed = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

describe('a signal that ends the broker starts a drain', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)('%s', async (signal) => {
    broker = await startBroker();
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    expect(await broker.stop(signal)).toEqual({ code: 0, signal: null });
    await stream.ended;
    expect(broker.log().map((line) => parsed(line)['msg'])).toEqual(
      expect.arrayContaining(['draining', 'stopped']),
    );
  });
});

describe('other signals do not end the broker', () => {
  test.each(['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)('%s: streams stay open', async (signal) => {
    broker = await startBroker();
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    process.kill(broker.pid, signal);
    await broker.logged(signal === 'SIGUSR2' ? 'SIGUSR2' : `"signal":"${signal}"`);
    const id = await broker.publish('news', 'still there');
    expect(await stream.next()).toMatchObject({ id });
    stream.close();
  });

  test('SIGHUP without TLS logs that there is nothing to reload', async () => {
    broker = await startBroker();
    process.kill(broker.pid, 'SIGHUP');
    expect(parsed(await broker.logged('nothing to reload'))).toMatchObject({
      level: 30,
      signal: 'SIGHUP',
    });
  });

  test("SIGUSR1 does not open Node's debugger", async () => {
    broker = await startBroker();
    process.kill(broker.pid, 'SIGUSR1');
    await broker.logged('SIGUSR1');
    expect(broker.log().filter((line) => line.includes('Debugger listening'))).toEqual([]);
  });

  test.each([
    ['info', 'debug', 'info'],
    ['debug', 'info', 'debug'],
    ['trace', 'info', 'trace'],
  ])('SIGUSR2 switches the log level from %s to %s, and back', async (given, first, second) => {
    broker = await startBroker({ LOG_LEVEL: given });
    const said = (level: string): Promise<string> => broker.logged(`"logLevel":"${level}"`);
    process.kill(broker.pid, 'SIGUSR2');
    await said(first);
    // SIGHUP writes a line at level info with either level.
    process.kill(broker.pid, 'SIGHUP');
    await broker.logged('nothing to reload');
    process.kill(broker.pid, 'SIGUSR2');
    await said(second);
  });
});

test.each(['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)('%s during the start does nothing', async (signal) => {
  const start = await startHeld();
  process.kill(start.pid, signal);
  broker = await start.go();
  // Then all that it says about the signal is there.
  await broker.stop();
  const said = broker.log().filter((line) => !line.startsWith('{') || line.includes(signal));
  expect(said).toEqual([]);
});
