import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from '../../client/src/index.ts';
import type { ConnectOptions, SluiceClient, SubscribeOptions } from '../../client/src/index.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';
import { simulatePage } from '../support/simulated-page.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_PUBLIC_CHANNELS: '*',
    SLUICE_CHANNELS: JSON.stringify([{ match: 'short.*', history: { size: 2 } }]),
    SLUICE_RETRY: '500ms',
  });
});
afterAll(() => broker.stop());

const clients: SluiceClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  vi.unstubAllGlobals();
});

function open(options: ConnectOptions = {}): SluiceClient {
  const client = connect(broker.url, options);
  clients.push(client);
  return client;
}

function follow(client: SluiceClient, channel: string, options: SubscribeOptions = {}): ClientReader {
  const reader = new ClientReader();
  client.subscribe(channel, { ...reader.options, ...options });
  return reader;
}

async function post(path: string, body: string): Promise<void> {
  const headers = { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' };
  const response = await fetch(broker.url + path, { method: 'POST', headers, body });
  expect(response.ok).toBe(true);
}

function publishKey(channel: string, key: string, data: string): Promise<void> {
  return post(`/publish/${channel}?key=${key}`, data);
}

function endChannel(channel: string): Promise<void> {
  return post(`/publish/${channel}?close=true`, '');
}

async function publishAll(channel: string, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const text of texts) ids.push(await broker.publish(channel, text));
  return ids;
}

describe('channels', () => {
  test('come in order over one connection, with their types and ids', async () => {
    const client = open();
    const one = follow(client, 'order:~1');
    const two = follow(client, 'order.2');
    await Promise.all([one.ready(), two.ready()]);
    const id = await broker.publish('order:~1', { total: 12 }, 'created');
    await publishAll('order.2', ['a', 'b\nc', 'd']);
    await Promise.all([two.heard('d'), one.heard('{"total":12}')]);
    expect(one.events).toEqual([{ channel: 'order:~1', id, event: 'created', data: '{"total":12}' }]);
    expect(two.texts).toEqual(['a', 'b\nc', 'd']);
    expect(client.status).toBe('live');
  });

  test('are added and removed while events flow, and none is lost', async () => {
    const client = open();
    const steady = follow(client, 'steady');
    await steady.ready();
    const added: ClientReader[] = [];
    for (let n = 0; n < 30; n++) {
      await broker.publish('steady', String(n));
      if (n % 5 === 0) added.push(follow(client, `added.${n}`));
      if (n % 10 === 9) client.subscribe(`gone.${n}`).close();
    }
    await steady.heard('29');
    expect(steady.texts).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
    await Promise.all(added.map((reader) => reader.ready()));
  });

  test('are a hundred on one stream', async () => {
    const client = open();
    const names = Array.from({ length: 100 }, (_, n) => `hundred.${n}`);
    const readers = names.map((name) => follow(client, name));
    await Promise.all(readers.map((reader) => reader.ready()));
    await Promise.all(names.map((name) => broker.publish(name, name)));
    await Promise.all(readers.map((reader, n) => reader.heard(`hundred.${n}`)));
    expect(readers.map(({ texts }) => texts)).toEqual(names.map((name) => [name]));
  });

  test('beyond the limit of the broker are refused, and the others go on', async () => {
    const client = open();
    const readers = Array.from({ length: 100 }, (_, n) => follow(client, `limit.${n}`));
    await Promise.all(readers.map((reader) => reader.ready()));
    const beyond = follow(client, 'limit.100');
    await beyond.until(() => beyond.errors.length > 0);
    expect(beyond.errors[0]).toBeInstanceOf(Error);
    expect(beyond.errors[0]).toMatchObject({ name: 'SluiceError', code: 'refused', status: 400 });
    await broker.publish('limit.0', 'goes on');
    await readers[0]?.heard('goes on');
  });

  test.each(['', 'a/b', 'a b', 'a@1-0,b', 'ü', '..', 'x'.repeat(201)])(
    'with the name %j are refused, and the others go on',
    async (name) => {
      const client = open();
      const [wrong, other] = [follow(client, name), follow(client, 'right')];
      await wrong.until(() => wrong.errors.length > 0);
      expect(wrong.errors[0]).toMatchObject({ code: 'refused', status: 400 });
      await other.ready();
      expect(other.errors).toEqual([]);
    },
  );

  test('begin after an id; an id of no log is a gap of its channel alone', async () => {
    const names = ['after.1', 'after.2', 'after.3'];
    const [first, second] = [
      await publishAll('after.1', ['a', 'b']),
      await publishAll('after.2', ['c', 'd']),
    ];
    const client = open();
    const starts = [first[0], second[0], '1-0,after.1@2-0'];
    const readers = names.map((name, index) => follow(client, name, { after: starts[index] ?? '' }));
    await Promise.all(readers.map((reader) => reader.ready()));
    expect(readers.map(({ texts }) => texts)).toEqual([['b'], ['d'], []]);
    expect(readers.map(({ gaps }) => gaps.length)).toEqual([0, 0, 1]);
  });

  test('that end say so, and close their subscription', async () => {
    const client = open();
    const [reader, other] = [follow(client, 'ending'), follow(client, 'not-ending')];
    await Promise.all([reader.ready(), other.ready()]);
    await broker.publish('ending', 'last');
    await endChannel('ending');
    await reader.until(() => reader.ends === 1);
    expect(reader.texts).toEqual(['last']);
    await broker.publish('not-ending', 'later');
    await other.heard('later');
    const late = follow(client, 'ending', { after: reader.events[0]?.id ?? '' });
    await late.until(() => late.ends === 1);
    expect(late.texts).toEqual([]);
  });
});

describe('a start', () => {
  test('at a cursor, at the newest events, at a time and at the beginning', async () => {
    const ids = await publishAll('starts', ['1', '2', '3', '4']);
    const client = open();
    const readers = [
      follow(client, 'starts', { after: ids[1] ?? '' }),
      follow(client, 'starts', { last: 1 }),
      follow(client, 'starts', { since: Number(ids[0]?.split('-')[0]) }),
      follow(client, 'starts', { after: 'earliest' }),
      follow(client, 'starts'),
    ];
    await Promise.all(readers.map((reader) => reader.ready()));
    await broker.publish('starts', '5');
    await Promise.all(readers.map((reader) => reader.heard('5')));
    expect(readers.map(({ texts }) => texts.join(''))).toEqual(['345', '45', '12345', '12345', '5']);
  });

  test('with the state; after a gap the state comes again', async () => {
    await publishKey('short.prices', 'a', 'a1');
    await publishKey('short.prices', 'b', 'b1');
    await publishKey('short.prices', 'a', 'a2');
    const page = simulatePage();
    const client = open();
    const reader = follow(client, 'short.prices', { state: true });
    await reader.ready();
    expect(reader.texts).toEqual(['b1', 'a2']);
    // Pauses until more events have gone by than the channel keeps.
    page.fire('pagehide');
    for (let n = 0; n < 4; n++) await publishKey('short.prices', 'c', `c${n}`);
    page.fire('pageshow');
    await reader.ready(2);
    expect(reader.gaps).toHaveLength(1);
    expect(reader.texts.slice(2)).toEqual(['b1', 'a2', 'c3']);
    await publishKey('short.prices', 'a', 'a3');
    await reader.heard('a3');
  });

  test('of a second subscription of the channel does not disturb the first', async () => {
    await publishAll('twice', ['1', '2']);
    const client = open();
    const first = follow(client, 'twice');
    await first.ready();
    await broker.publish('twice', '3');
    const second = follow(client, 'twice', { last: 2 });
    const third = follow(client, 'twice');
    await Promise.all([second.ready(), third.ready()]);
    await broker.publish('twice', '4');
    await Promise.all([first, second, third].map((reader) => reader.heard('4')));
    expect([first, second, third].map(({ texts }) => texts.join(''))).toEqual(['34', '234', '4']);
  });
});

describe('a callback', () => {
  test('that throws is reported, and the client goes on', async () => {
    const reported: unknown[] = [];
    const keep = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => reported.push(error));
    try {
      const reader = new ClientReader();
      open().subscribe('throwing', {
        ...reader.options,
        onEvent(event) {
          reader.options.onEvent?.(event);
          throw new Error(`about ${event.data}`);
        },
      });
      await reader.ready();
      await publishAll('throwing', ['1', '2']);
      await reader.heard('2');
      await expect.poll(() => reported.map(String)).toEqual(['Error: about 1', 'Error: about 2']);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of keep) process.on('uncaughtException', listener);
    }
  });

  test('may close the client, and hears nothing more', async () => {
    const statuses: string[] = [];
    const client = open({ onStatus: (status) => statuses.push(status) });
    const reader = new ClientReader();
    const onEvent: SubscribeOptions['onEvent'] = (event) => {
      reader.options.onEvent?.(event);
      client.close();
    };
    await publishAll('closing', ['1', '2', '3']);
    client.subscribe('closing', { ...reader.options, onEvent, after: 'earliest' });
    await reader.heard('1');
    expect(client.status).toBe('closed');
    expect(() => client.subscribe('closing')).toThrow('closed');
    expect(reader.texts).toEqual(['1']);
    expect(statuses).toEqual(['connecting', 'closed']);
  });
});

describe('the broker', () => {
  test('ends the stream and says when to come back: nothing is lost', async () => {
    const reasons: string[] = [];
    const client = open({ onClosing: (reason) => reasons.push(reason) });
    const reader = follow(client, 'disconnected');
    await reader.ready();
    await post('/disconnect', JSON.stringify({ channel: 'disconnected' }));
    await broker.publish('disconnected', 'meanwhile');
    await reader.heard('meanwhile');
    expect(reasons).toEqual(['disconnected']);
  });
});
