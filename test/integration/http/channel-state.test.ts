import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';

const SECRET = 'a secret of at least thirty-two bytes';
const ORIGIN = 'https://app.example.com';

/** A token that grants the channel. */
function token(channel: string): string {
  return signToken({ exp: inSeconds(60), sluice: { subscribe: [channel] } }, SECRET);
}

interface Published {
  readonly channel: string;
  readonly id: string;
}

interface State {
  readonly events: readonly { readonly id: string; readonly key?: string; readonly data: string }[];
  readonly position: string;
  readonly ended: boolean;
}

describe.each(LOGS)('with %s', (log) => {
  let started: BrokerOnLog;
  let broker: Broker;
  beforeAll(async () => {
    started = await startBrokerOn(log, {
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_PUBLIC_CHANNELS: 'prices.*,status',
      SLUICE_CORS_ORIGINS: ORIGIN,
      SLUICE_CHANNELS: JSON.stringify([
        { match: 'status', latest: true },
        { match: 'prices.few', keys: 2 },
        { match: 'prices.live', history: { size: 0 } },
      ]),
    });
    ({ broker } = started);
  });
  afterAll(() => started.stop());

  async function post(
    path: string,
    body: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return await fetch(`${broker.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}`, ...headers },
      body,
    });
  }

  async function publish(publication: object): Promise<string> {
    const response = await post('/publish', JSON.stringify(publication), {
      'content-type': 'application/json',
    });
    expect(response.status).toBe(200);
    return ((await response.json()) as Published).id;
  }

  async function refusal(path: string, status: number, headers: readonly string[] = []): Promise<string> {
    return readProblem(await exchange(broker.port, { path, headers }), status).code;
  }

  async function stateOf(channel: string): Promise<State> {
    return (await (await fetch(`${broker.url}/channels/${channel}/state`)).json()) as State;
  }

  test('the state is the newest event of each key, in the order of their ids, with the position', async () => {
    const channel = 'prices.all';
    await publish({ channel, key: 'a', data: 1 });
    const b = await publish({ channel, key: 'b', data: 'two', event: 'set' });
    await publish({ channel, key: 'c', data: 3 });
    const a = await publish({ channel, key: 'a', data: { x: 4 } });
    await publish({ channel, data: 'without a key' });
    const position = await publish({ channel, key: 'c', delete: true });
    const response = await fetch(`${broker.url}/channels/${channel}/state`, { headers: { origin: ORIGIN } });
    expect(await response.json()).toEqual({
      channel,
      events: [
        { id: b, key: 'b', event: 'set', data: 'two' },
        { id: a, key: 'a', data: '{"x":4}' },
      ],
      position,
      ended: false,
    });
    const { headers } = response;
    expect(headers.get('sluice-position')).toBe(position);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('access-control-expose-headers')).toContain('Sluice-Position');
    const head = await fetch(`${broker.url}/channels/${channel}/state`, { method: 'HEAD' });
    expect([head.headers.get('sluice-position'), await head.text()]).toEqual([position, '']);

    const stream = await openStream(`${broker.url}/events/${channel}?state`);
    await stream.until('sluice:ready');
    const next = await publish({ channel, key: 'b', delete: true });
    expect(await stream.next()).toMatchObject({
      id: next,
      event: 'sluice:deleted',
      data: '{"channel":"prices.all","key":"b"}',
    });
    expect(stream.events.map(({ id, event }) => [id, event])).toEqual([
      [b, 'set'],
      [a, undefined],
      [position, 'sluice:ready'],
      [next, 'sluice:deleted'],
    ]);
    stream.close();
    // A page that was rendered with the state goes on from its position.
    const rest = await openStream(`${broker.url}/events/${channel}?state&last_event_id=${position}`);
    expect((await rest.until('sluice:ready')).map(({ event }) => event)).toEqual([
      'sluice:deleted',
      'sluice:ready',
    ]);
    rest.close();
  });

  test('an upload and a raw body can have a key', async () => {
    const channel = 'prices.raw';
    await post(`/publish/${channel}?each=line&key=a`, '1\n2\n');
    await post(`/publish/${channel}?key=b&event=x`, '3');
    const { events } = await stateOf(channel);
    expect(events.map(({ key, data }) => [key, data])).toEqual([
      ['a', '2'],
      ['b', '3'],
    ]);
    const [path, authorization] = [`/publish/${channel}?key=a%0Ab`, `Authorization: Bearer ${broker.key}`];
    const wrong = await exchange(broker.port, { method: 'POST', path, headers: [authorization], body: '' });
    expect(readProblem(wrong, 400).code).toBe('invalid-query');
  });

  test('a list of channels and a body of many events can delete keys; each deletion names its channel', async () => {
    const channels = ['prices.one', 'prices.two'];
    await publish({ channels, key: 'a', data: 1 });
    await publish({ channels, key: 'b', data: 1 });
    const streams = await Promise.all(channels.map((one) => openStream(`${broker.url}/events/${one}`)));
    for (const stream of streams) await stream.until('sluice:ready');
    await publish({ channels, key: 'a', delete: true });
    for (const [i, stream] of streams.entries()) {
      const data = JSON.stringify({ channel: channels[i], key: 'a' });
      expect(await stream.next()).toMatchObject({ event: 'sluice:deleted', data });
      stream.close();
    }
    const lines = channels.map((channel) => JSON.stringify({ channel, key: 'b', delete: true }));
    await post('/publish', lines.join('\n'), { 'content-type': 'application/x-ndjson' });
    for (const channel of channels) expect((await stateOf(channel)).events).toEqual([]);
  });

  test('a publish that is repeated with its idempotency key changes nothing', async () => {
    const header = { 'idempotency-key': 'k', 'content-type': 'application/json' };
    const body = JSON.stringify({ channel: 'status', data: 'once' });
    const first = ((await (await post('/publish', body, header)).json()) as Published).id;
    const second = await publish({ channel: 'status', data: 'twice' });
    const again = await post('/publish', body, header);
    expect([again.headers.get('idempotent-replayed'), ((await again.json()) as Published).id]).toEqual([
      'true',
      first,
    ]);
    expect((await stateOf('status')).events).toEqual([{ id: second, data: 'twice' }]);
  });

  test('with the policy `latest`, events without a key are events of one key', async () => {
    await publish({ channel: 'status', data: 'old' });
    const b = await publish({ channel: 'status', key: 'b', data: 'b' });
    const id = await publish({ channel: 'status', data: 'new' });
    expect((await stateOf('status')).events).toEqual([
      { id: b, key: 'b', data: 'b' },
      { id, data: 'new' },
    ]);
  });

  test('a channel keeps as many keys as its rule says; the others are counted', async () => {
    for (const key of ['a', 'b', 'c', 'd']) await publish({ channel: 'prices.few', key, data: key });
    const { events } = await stateOf('prices.few');
    expect(events.map(({ key }) => key)).toEqual(['c', 'd']);
    expect(await (await fetch(`${broker.url}/metrics`)).text()).toContain('sluice_keys_dropped_total 2');
  });

  test('a channel that keeps no history has a state, which follows a gap', async () => {
    const channel = 'prices.live';
    const first = await publish({ channel, key: 'a', data: 1 });
    const second = await publish({ channel, key: 'b', data: 2 });
    const stream = await openStream(`${broker.url}/events/${channel}?state&last_event_id=${first}`);
    expect((await stream.until('sluice:ready')).map(({ id, event }) => [id, event])).toEqual([
      [first, 'sluice:gap'],
      [first, undefined],
      [second, undefined],
      [second, 'sluice:ready'],
    ]);
    stream.close();
  });

  test('a stream of several channels begins with the state of each', async () => {
    const a = await publish({ channel: 'prices.x', key: 'a', data: 1 });
    const b = await publish({ channel: 'prices.y', key: 'b', data: 2 });
    const url = `${broker.url}/events?channel=prices.x&channel=prices.y&state`;
    const stream = await openStream(url);
    const events = await stream.until('sluice:ready');
    expect(new Set(events.slice(0, -1).map(({ id }) => id?.split(',')[0]))).toEqual(
      new Set([`prices.x@${a}`, `prices.y@${b}`]),
    );
    stream.close();
    const again = await openStream(`${url}&last_event_id=prices.x@${a}`);
    const rest = await again.until('sluice:ready');
    expect(rest.slice(0, -1).map(({ id }) => id?.split(',')[0])).toEqual([`prices.y@${b}`]);
    again.close();
  });

  test('deleting the channel deletes its state; its end stays with the state', async () => {
    const channel = 'prices.gone';
    await publish({ channel, key: 'a', data: 1 });
    const end = await publish({ channel, key: 'b', data: 2, close: true });
    expect(await stateOf(channel)).toMatchObject({ position: end, ended: true, events: [{}, {}] });
    const stream = await openStream(`${broker.url}/events/${channel}?state`);
    expect((await stream.until('sluice:end')).map(({ data }) => data)).toEqual([
      '1',
      '2',
      `{"channel":"${channel}"}`,
    ]);
    await stream.ended;
    await fetch(`${broker.url}/channels/${channel}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${broker.key}` },
    });
    expect(await stateOf(channel)).toMatchObject({ events: [], ended: false });
  });

  test('a state of more than 2 MiB is a 413, and a stream has it', async () => {
    const data = 'x'.repeat(800_000);
    for (const key of ['a', 'b', 'c']) await publish({ channel: 'prices.large', key, data });
    expect(await refusal('/channels/prices.large/state', 413)).toBe('state-too-large');
    const stream = await openStream(`${broker.url}/events/prices.large?state`);
    expect(await stream.until('sluice:ready')).toHaveLength(4);
    stream.close();
  });

  test.each(['state=1', 'state&last=1', 'state&since=1', 'state&last_event_id=1-0&last=1', 'state&state'])(
    '?%s is a 400',
    async (query) => {
      expect(await refusal(`/events/prices.all?${query}`, 400)).toBe('invalid-query');
    },
  );

  test('the credentials are those of a subscriber', async () => {
    const path = '/channels/secret/state';
    expect(await refusal(path, 401)).toBe('unauthorized');
    expect(await refusal(path, 401, [`Authorization: Bearer ${broker.key}`])).toBe('unauthorized');
    expect(await refusal(`${path}?token=${token('other')}`, 403)).toBe('forbidden');
    expect((await fetch(`${broker.url}${path}?token=${token('secret')}`)).status).toBe(200);
  });
});

test('requests that come together share a read, and each sees what was published before it', async () => {
  const redis = await startRedis();
  const channel = 'prices.all';
  const shared = await startBroker({ REDIS_URL: redis.url, SLUICE_PUBLIC_CHANNELS: 'prices.*' });
  try {
    await shared.logged('redis: up');
    const calls = async (): Promise<number> =>
      [...(await redis.cli('INFO', 'commandstats')).matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
        (sum, [, count]) => sum + Number(count),
        0,
      );
    /** Sends all requests in one packet, so that the broker reads them together, however busy the machine is. */
    const ask = async (requests: number): Promise<string[]> => {
      const connection = await openRaw(shared.port);
      const path = `/channels/${channel}/state`;
      connection.send(Buffer.concat(Array.from({ length: requests }, () => requestBytes({ path }))));
      const positions: string[] = [];
      while (positions.length < requests)
        positions.push((JSON.parse((await connection.answer('GET')).body) as State).position);
      connection.close();
      return positions;
    };
    const first = await shared.publish(channel, 'one');
    expect(await ask(1)).toEqual([first]);
    const before = await calls();
    const early = ask(60);
    const second = await shared.publish(channel, 'two');
    const late = await ask(60);
    expect(late).toEqual(Array(60).fill(second));
    for (const position of await early) expect([first, second]).toContain(position);
    // It is about 30.
    expect((await calls()) - before).toBeLessThan(100);
  } finally {
    await shared.kill();
    await redis.stop();
  }
});
