import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../client/src/index.ts';
import type { SluiceClient, Subscription } from '../../client/src/index.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';

const CHANNELS = ['a', 'b', 'c', 'd'];
const STEPS = 150;

/** A subscription, and the events that it has to get from its beginning to its end. */
interface Followed {
  readonly channel: string;
  readonly reader: ClientReader;
  readonly subscription: Subscription;
  readonly from: number;
}

let broker: Broker;
let relay: TcpRelay;
let client: SluiceClient;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_PUBLIC_CHANNELS: '*', SLUICE_RETRY: '500ms' });
  relay = await startTcpRelay(broker.port);
  client = connect(relay.url);
});
afterAll(async () => {
  client.close();
  await relay.close();
  await broker.stop();
});

test.each([1, 2, 3])(
  'random adds, removals, cuts and publishes: each subscription gets its events (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const published = new Map<string, { id: string; text: string }[]>();
    const followed: Followed[] = [];
    const publish = async (channel: string): Promise<void> => {
      const all = published.get(channel) ?? [];
      published.set(channel, all);
      const text = `${seed} ${channel} ${all.length}`;
      all.push({ id: await broker.publish(channel, text), text });
    };
    for (const channel of CHANNELS) await publish(channel);
    for (let step = 0; step < STEPS; step++) {
      const dice = random();
      if (dice < 0.06) {
        const channel = pick(CHANNELS);
        const all = published.get(channel) ?? [];
        const from = Math.floor(random() * all.length);
        const reader = new ClientReader();
        const after = all[from]?.id ?? '';
        followed.push({
          channel,
          reader,
          from,
          subscription: client.subscribe(channel, { ...reader.options, after }),
        });
      } else if (dice < 0.09 && followed.length > 3) {
        const [gone] = followed.splice(Math.floor(random() * followed.length), 1);
        gone?.subscription.close();
        checkPrefix(gone, published);
      } else if (dice < 0.11) relay.cut();
      else await publish(pick(CHANNELS));
    }
    for (const channel of CHANNELS) await publish(channel);
    for (const one of followed) {
      const expected = (published.get(one.channel) ?? []).slice(one.from + 1).map(({ text }) => text);
      await one.reader.until(() => one.reader.events.length >= expected.length);
      expect(one.reader.texts).toEqual(expected);
      expect(one.reader.gaps).toEqual([]);
      one.subscription.close();
    }
  },
);

function checkPrefix(
  one: Followed | undefined,
  published: ReadonlyMap<string, readonly { text: string }[]>,
): void {
  if (one === undefined) return;
  const all = (published.get(one.channel) ?? []).map(({ text }) => text);
  expect(one.reader.texts).toEqual(all.slice(one.from + 1, one.from + 1 + one.reader.events.length));
}
