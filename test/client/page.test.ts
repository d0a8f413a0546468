import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { connect, keepPositions } from '../../client/src/index.ts';
import type { SluiceClient, SubscribeOptions } from '../../client/src/index.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';
import { simulatePage } from '../support/simulated-page.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_PUBLIC_CHANNELS: '*' });
});
const clients: SluiceClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  vi.unstubAllGlobals();
});
afterAll(() => broker.stop());

function follow(url: string, channel: string, options: SubscribeOptions = {}): ClientReader {
  const client = connect(url, { keep: keepPositions('positions') });
  clients.push(client);
  const reader = new ClientReader();
  client.subscribe(channel, { ...reader.options, ...options });
  return reader;
}

test.each([
  ['pagehide', 'pageshow'],
  ['freeze', 'resume'],
])('lets go of the stream at %s, and goes on at %s where it was', async (hide, show) => {
  const page = simulatePage();
  const reader = follow(broker.url, hide);
  await reader.ready();
  page.fire(hide);
  await expect.poll(() => subscribers(hide)).toBe(0);
  await broker.publish(hide, 'meanwhile');
  page.fire(show);
  await reader.ready(2);
  expect(reader.texts).toEqual(['meanwhile']);
});

async function subscribers(channel: string): Promise<number> {
  const headers = { authorization: `Bearer ${broker.key}` };
  const response = await fetch(`${broker.url}/channels/${channel}`, { headers });
  return ((await response.json()) as { subscribers: number }).subscribers;
}

test('comes back at once when the network is there again', async () => {
  const page = simulatePage();
  const relay = await startTcpRelay(broker.port);
  const reader = follow(relay.url, 'online');
  await reader.ready();
  // The stream is dead, and nobody has noticed yet.
  relay.abandonOpen();
  await broker.publish('online', 'meanwhile');
  page.fire('online');
  await reader.heard('meanwhile');
  await relay.close();
});

test('goes on after a reload where the page was', async () => {
  const page = simulatePage();
  const before = follow(broker.url, 'reloaded');
  await before.ready();
  await broker.publish('reloaded', '1');
  await before.heard('1');
  page.fire('pagehide');
  await broker.publish('reloaded', '2');
  const after = follow(broker.url, 'reloaded', { last: 5 });
  await after.ready();
  expect(after.texts).toEqual(['2']);
});

test.each(['not JSON', '{"broken":"no id"}'])('begins live when the storage holds %s', async (text) => {
  simulatePage().stored.set('positions', text);
  await follow(broker.url, 'broken').ready();
});

test('begins live where the storage is forbidden', async () => {
  vi.stubGlobal('sessionStorage', {
    getItem() {
      throw new Error('forbidden');
    },
  });
  await follow(broker.url, 'forbidden').ready();
});
