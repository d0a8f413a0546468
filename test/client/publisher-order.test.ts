import { expect, test } from 'vitest';
import { createPublisher } from '../../client/src/publisher.ts';
import { dataFolder, startBroker } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { LogReader } from '../support/log-reader.ts';

// The publisher of the client package keeps the order of many events, whatever happens to the broker.

async function numbersIn(channel: string, url: string): Promise<readonly number[]> {
  const { seen } = await LogReader.read(url, channel);
  return seen.flatMap((one) => (one.kind === 'event' ? [Number(one.text)] : []));
}

test('a body that is too large for a rate goes in parts', async () => {
  const limited = await startBroker({ SLUICE_PUBLISH_RATE_PER_KEY: '20/s' });
  try {
    await using publisher = createPublisher(limited);
    const numbers = Array.from({ length: 30 }, (_, i) => i);
    await Promise.all(numbers.map((i) => publisher.publish('rate', i)));
    expect(await numbersIn('rate', limited.url)).toEqual(numbers);
  } finally {
    await limited.kill();
  }
});

test('20,000 events are published once and in order while the broker is killed again and again', async () => {
  const folder = await dataFolder();
  const env = {
    PORT: String(await freePort()),
    SLUICE_DATA_DIR: folder.path,
    SLUICE_HISTORY_SIZE: '20000',
  };
  let running = await startBroker(env);
  const channels = ['one', 'two', 'three'];
  const expected = new Map<string, number[]>(channels.map((channel) => [channel, []]));
  const publisher = createPublisher({ url: running.url, key: running.key, maxQueuedEvents: 3_000 });
  const published: Promise<unknown>[] = [];
  let restarting = Promise.resolve();
  const restart = async (): Promise<void> => {
    await running.kill();
    running = await startBroker(env);
  };
  for (let i = 0; i < 20_000; i++) {
    await publisher.ready();
    if (i === 5_000 || i === 13_000) restarting = restarting.then(restart);
    const channel = channels[i % 3] as string;
    expected.get(channel)?.push(i);
    published.push(publisher.publish(channel, i));
  }
  await Promise.all(published);
  await restarting;
  for (const channel of channels)
    expect(await numbersIn(channel, running.url)).toEqual(expected.get(channel));
  await publisher.close();
  await running.kill();
  await folder.remove();
});
