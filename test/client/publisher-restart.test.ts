import { expect, test } from 'vitest';
import { createPublisher } from '../../client/src/publisher.ts';
import { dataFolder, startBroker } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { LogReader } from '../support/log-reader.ts';

// The publisher of the client package, while a broker with a log on disk is killed.

async function numbersIn(channel: string, url: string): Promise<readonly number[]> {
  const { seen } = await LogReader.read(url, channel);
  return seen.flatMap((one) => (one.kind === 'event' ? [Number(one.text)] : []));
}

test('20,000 events are published once and in order while the broker is killed and started again', async () => {
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
    if (i === 9_000) restarting = restart();
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
