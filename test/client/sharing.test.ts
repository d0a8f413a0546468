import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { connect, shareTabs } from '../../client/src/index.ts';
import type { SluiceClient, Subscription } from '../../client/src/index.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';
import { hurryTimers } from '../support/hurry-timers.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { simulatePage } from '../support/simulated-page.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';

// Node has Web Locks and BroadcastChannels, too: each client is as a tab of its own.

let broker: Broker;
let relay: TcpRelay;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_PUBLIC_CHANNELS: '*', SLUICE_RETRY: '500ms' });
  relay = await startTcpRelay(broker.port);
});
afterAll(async () => {
  await relay.close();
  await broker.stop();
});

afterEach(() => vi.unstubAllGlobals());

const streams = async (): Promise<number | undefined> =>
  (await readMetrics(broker.url)).get('sluice_connections');

interface Tab {
  readonly client: SluiceClient;
  readonly reader: ClientReader;
  readonly channel: string;
  readonly subscription: Subscription;
  /** How many events of the channel were published before its beginning. */
  readonly from: number;
}

test('200 tabs at once have one connection, and each gets every event once', async () => {
  const tabs = Array.from({ length: 200 }, () => {
    const client = connect(relay.url, { share: shareTabs({ group: 'many' }) });
    const reader = new ClientReader();
    client.subscribe('many', reader.options);
    return { client, reader };
  });
  await Promise.all(tabs.map(({ reader }) => reader.ready()));
  expect(await streams()).toBe(1);
  const texts = ['1', '2', '3'];
  for (const text of texts) await broker.publish('many', text);
  await Promise.all(tabs.map(({ reader }) => reader.heard('3')));
  for (const { reader } of tabs) expect(reader.texts).toEqual(texts);
  for (const { client } of tabs) client.close();
});

test.each([1, 2, 3])(
  'random tabs, closings, cuts and publishes: each tab gets its events (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    const channels = ['a', 'b', 'c'].map((name) => `${name}-${seed}`);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const published = new Map<string, { id: string; text: string }[]>(
      channels.map((channel) => [channel, []]),
    );
    const of = (channel: string): { id: string; text: string }[] => published.get(channel) ?? [];
    const publish = async (channel: string): Promise<void> => {
      const text = `${channel} ${of(channel).length}`;
      of(channel).push({ id: await broker.publish(channel, text), text });
    };
    const tabs: Tab[] = [];
    const open = (): void => {
      const channel = pick(channels);
      const from = Math.floor(random() * of(channel).length);
      const client =
        tabs.length > 0 && random() < 0.3
          ? pick(tabs).client
          : connect(relay.url, { share: shareTabs({ group: `${seed}` }) });
      const reader = new ClientReader();
      const after = of(channel)[from]?.id ?? '';
      tabs.push({
        client,
        reader,
        channel,
        from: from + 1,
        subscription: client.subscribe(channel, { ...reader.options, after }),
      });
    };
    const check = ({ channel, reader, from }: Tab): void => {
      const expected = of(channel).slice(from, from + reader.events.length);
      expect(reader.texts).toEqual(expected.map(({ text }) => text));
      expect(reader.gaps).toEqual([]);
    };
    for (const channel of channels) await publish(channel);
    for (let step = 0; step < 150; step++) {
      const dice = random();
      if (dice < 0.1) open();
      else if (dice < 0.12 && tabs.length > 0) relay.cut();
      else if (dice < 0.16 && tabs.length > 3) {
        // The first client is the one with the connection.
        const { client } = dice < 0.14 ? (tabs[0] as Tab) : pick(tabs);
        for (const tab of tabs.filter((one) => one.client === client)) {
          tabs.splice(tabs.indexOf(tab), 1);
          check(tab);
        }
        client.close();
      } else if (dice < 0.18 && tabs.length > 3) {
        const [tab] = tabs.splice(Math.floor(random() * tabs.length), 1) as [Tab];
        tab.subscription.close();
        check(tab);
      } else await publish(pick(channels));
    }
    for (const channel of channels) await publish(channel);
    for (const tab of tabs) {
      await tab.reader.until(() => tab.reader.events.length >= of(tab.channel).length - tab.from);
      check(tab);
      expect(tab.reader.events.length).toBe(of(tab.channel).length - tab.from);
    }
    for (const { client } of tabs) client.close();
  },
);

test('each tab is told of a gap and of the end of its channel', async () => {
  const other = await startBroker({ SLUICE_PUBLIC_CHANNELS: '*', SLUICE_RETRY: '500ms' });
  const port = String(other.port);
  const tabs = [1, 2, 3].map(() => ({
    client: connect(other.url, { share: shareTabs() }),
    reader: new ClientReader(),
  }));
  for (const { client, reader } of tabs) client.subscribe('told', reader.options);
  await Promise.all(tabs.map(({ reader }) => reader.ready()));
  await other.publish('told', 'before');
  await Promise.all(tabs.map(({ reader }) => reader.heard('before')));
  // The log ends with the process.
  await other.kill();
  const heir = await startBroker({ SLUICE_PUBLIC_CHANNELS: '*', PORT: port });
  await Promise.all(tabs.map(({ reader }) => reader.ready(2)));
  await heir.publish('told', 'after');
  const headers = { authorization: `Bearer ${heir.key}` };
  await fetch(`${heir.url}/publish/told?close=true`, { method: 'POST', headers, body: '' });
  for (const { reader } of tabs) {
    await reader.until(() => reader.ends > 0);
    expect(reader.gaps.length).toBe(1);
    expect(reader.texts).toEqual(['before', 'after']);
  }
  for (const { client } of tabs) client.close();
  await heir.kill();
});

test('a tab that asks whether the leader is there stays live', async () => {
  const page = simulatePage();
  const tabs = [];
  for (let i = 0; i < 3; i++) {
    const statuses: string[] = [];
    const onStatus = (status: string): unknown => statuses.push(status);
    const client = connect(relay.url, { share: shareTabs({ group: 'asking' }), onStatus });
    const reader = new ClientReader();
    client.subscribe('asking', reader.options);
    // The next tab comes too late to hear who leads.
    await reader.ready();
    tabs.push({ client, reader, statuses });
  }
  // A tab asks after some seconds of silence, and also when its page becomes visible.
  page.fire('visibilitychange');
  // The leader answers before it brings the event.
  await broker.publish('asking', 'after the answer');
  await Promise.all(tabs.map(({ reader }) => reader.heard('after the answer')));
  for (const { client, reader, statuses } of tabs) {
    expect(statuses).toEqual(['connecting', 'live']);
    expect(reader.positions.length).toBe(1);
    client.close();
  }
});

test('tabs of which none can get a token ask for one less and less often', async () => {
  const haste = 50;
  hurryTimers(haste);
  const began = performance.now();
  const enough = Promise.withResolvers<void>();
  let asked = 0;
  const getToken = (): string => {
    if (++asked === 120) enough.resolve();
    throw new Error('the issuer is away');
  };
  const clients = [1, 2, 3, 4, 5, 6].map(() => {
    const client = connect(broker.url, { getToken, share: shareTabs({ group: 'locked' }) });
    client.subscribe('locked');
    return client;
  });
  await enough.promise;
  for (const client of clients) client.close();
  expect((performance.now() - began) * haste).toBeGreaterThan(70_000);
});

test('tabs that together ask for more than the broker allows get it apart', async () => {
  const tabs = ['x', 'y'].map((letter) => {
    const client = connect(relay.url, { share: shareTabs({ group: 'crowd' }) });
    return Array.from({ length: 60 }, (_, index) => {
      const reader = new ClientReader();
      client.subscribe(`${letter}${index}`, reader.options);
      return { client, reader };
    });
  });
  await Promise.all(tabs.flat().map(({ reader }) => reader.ready()));
  // The stream of the crowd may still be closing.
  await expect.poll(streams).toBe(2);
  for (const letter of ['x', 'y']) await broker.publish(`${letter}59`, letter);
  for (const readers of tabs) {
    await readers.at(-1)?.reader.until(() => readers.at(-1)?.reader.events.length === 1);
    expect(readers.flatMap(({ reader }) => reader.errors)).toEqual([]);
    readers[0]?.client.close();
  }
});
