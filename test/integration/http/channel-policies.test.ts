import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

const RULES = [
  { match: 'live.*', history: { size: 0 } },
  { match: 'short.*', history: { size: 2 } },
  { match: 'brief.*', history: { ttl: '1s' }, public: true },
  { match: 'closed.*', public: false },
];

const streams: SseStream[] = [];
afterEach(() => {
  for (const stream of streams.splice(0)) stream.close();
});

/** Opens a stream and returns it once it is ready. */
async function subscribe(broker: Broker, path: string, cursor?: string): Promise<SseStream> {
  const headers = cursor === undefined ? {} : { 'last-event-id': cursor };
  const stream = await openStream(`${broker.url}/events/${path}`, { headers });
  streams.push(stream);
  await stream.until('sluice:ready');
  return stream;
}

/** The events of a stream: the data of a published event, otherwise the event's type. */
const received = ({ events }: SseStream): string[] => events.map(({ event, data }) => event ?? data);

async function fill(broker: Broker, channel: string): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 1; i <= 4; i++) ids.push(await broker.publish(channel, String(i)));
  return ids;
}

describe.each(['the embedded log', 'Redis'])('rules for channels, with %s', (kind) => {
  let redis: RedisServer | undefined;
  let broker: Broker;
  beforeAll(async () => {
    redis = kind === 'Redis' ? await startRedis() : undefined;
    broker = await startBroker({
      SLUICE_CHANNELS: JSON.stringify(RULES),
      ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    });
  });
  afterAll(async () => {
    await broker.kill();
    await redis?.stop();
  });

  test('each channel keeps as many events as its rule says, and the others as the setting says', async () => {
    for (const channel of ['short.a', 'other']) await fill(broker, channel);
    const short = await subscribe(broker, 'short.a?last=100');
    expect(received(short)).toEqual(['3', '4', 'sluice:ready']);
    const other = await subscribe(broker, 'other?last=100');
    expect(received(other)).toEqual(['1', '2', '3', '4', 'sluice:ready']);
  });

  test('each channel keeps events for as long as its rule says', async () => {
    const [first] = await fill(broker, 'brief.a');
    await fill(broker, 'long');
    // A replica may take an event for younger by as long as its announcement took to arrive.
    await expect
      .poll(async () => received(await subscribe(broker, 'brief.a', first)), { timeout: 10_000 })
      .toEqual(['sluice:gap', 'sluice:ready']);
    expect(received(await subscribe(broker, 'brief.a?last=9'))).toEqual(['sluice:ready']);
    expect(received(await subscribe(broker, 'long?last=9'))).toHaveLength(5);
  });

  test('with size 0 live subscribers get every event, and one that reconnects gets a gap unless it has seen all', async () => {
    const live = await subscribe(broker, 'live.a');
    const ids = await fill(broker, 'live.a');
    await live.when(({ events }) => events.length === 5);
    expect(received(live)).toEqual(['sluice:ready', '1', '2', '3', '4']);

    const behind = await subscribe(broker, 'live.a', ids[2]);
    expect(behind.events.map(({ event, id }) => [event, id])).toEqual([
      ['sluice:gap', ids[2]],
      ['sluice:ready', ids[3]],
    ]);
    expect(JSON.parse(behind.events[0]?.data ?? '')).toEqual({
      channel: 'live.a',
      after: ids[2],
      before: null,
    });
    const atTail = await subscribe(broker, 'live.a', ids[3]);
    expect(received(atTail)).toEqual(['sluice:ready']);
    expect(received(await subscribe(broker, 'live.a?last=3'))).toEqual(['sluice:ready']);
    expect(received(await subscribe(broker, 'live.a?last_event_id=earliest'))).toEqual([
      'sluice:gap',
      'sluice:ready',
    ]);

    await broker.publish('live.a', 'next');
    for (const stream of [live, behind, atTail]) {
      await stream.when((one) => received(one).includes('next'));
      expect(received(stream).at(-1)).toBe('next');
    }
  });

  test('a rule makes a channel private that the setting makes public', async () => {
    const closed = await openStream(`${broker.url}/events/closed.a`);
    streams.push(closed);
    expect(closed.status).toBe(401);
    await subscribe(broker, 'closed');
  });
});

test('a rule opens only what it names, and a rule without `public` opens nothing', async () => {
  const broker = await startBroker({
    SLUICE_CHANNELS: JSON.stringify(RULES),
    SLUICE_PUBLIC_CHANNELS: 'news,closed.a',
  });
  const status = async (channel: string): Promise<number> => {
    const stream = await openStream(`${broker.url}/events/${channel}`);
    streams.push(stream);
    return stream.status;
  };
  expect(
    await Promise.all(['news', 'brief.a', 'live.a', 'short.a', 'closed.a', 'other'].map(status)),
  ).toEqual([200, 200, 401, 401, 401, 401]);
  await broker.kill();
});

test('rules that cannot be read stop the start, and the message points at the fault', async () => {
  await expect(startBroker({ SLUICE_CHANNELS: '[{"match":"a","history":{"size":-1}}]' })).rejects.toThrow(
    'sluice: SLUICE_CHANNELS: /0/history/size is -1; expected a whole number from 0 to 10000000.',
  );
});
