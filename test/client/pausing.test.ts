import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connect, iterate } from '../../client/src/index.ts';
import type { SluiceClient } from '../../client/src/index.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';

let broker: Broker;
let client: SluiceClient;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_PUBLIC_CHANNELS: '*' });
});
afterEach(() => client.close());
afterAll(() => broker.stop());

function open(): SluiceClient {
  client = connect(broker.url);
  return client;
}

async function post(path: string, body: string): Promise<void> {
  const headers = { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' };
  const response = await fetch(broker.url + path, { method: 'POST', headers, body });
  expect(response.ok).toBe(true);
}

describe('an iterator', () => {
  test('that is slow gets every event', async () => {
    const text = 'x'.repeat(100_000);
    const events = iterate(open(), 'slow', { after: '0-0' });
    const published = (async () => {
      for (let n = 0; n < 60; n++) await broker.publish('slow', `${n} ${text}`);
    })();
    const seen: string[] = [];
    for await (const { data } of events) {
      if (seen.length === 0) await published;
      seen.push(data.split(' ')[0] ?? '');
      if (seen.length === 60) break;
    }
    expect(seen).toEqual(Array.from({ length: 60 }, (_, n) => String(n)));
  });

  test('ends with its channel', async () => {
    await broker.publish('short-story', 'once');
    await post('/publish/short-story?close=true', '');
    const seen = [];
    for await (const { data } of iterate(open(), 'short-story', { last: 5 })) seen.push(data);
    expect(seen).toEqual(['once']);
  });
});

describe('a pause', () => {
  test('stops the events of its subscription, and they come after it', async () => {
    open();
    const paused = new ClientReader();
    const subscription = client.subscribe('paused', paused.options);
    const other = new ClientReader();
    client.subscribe('not-paused', other.options);
    await Promise.all([paused.ready(), other.ready()]);
    subscription.pause();
    for (const text of ['1', '2']) await broker.publish('paused', text);
    await broker.publish('not-paused', 'later');
    await other.heard('later');
    expect(paused.texts).toEqual([]);
    subscription.resume();
    await paused.heard('2');
    expect(paused.texts).toEqual(['1', '2']);
  });

  test('in the middle of a state lets the state come whole', async () => {
    for (const key of ['a', 'b', 'c']) await post(`/publish/paused-state?key=${key}`, key);
    const reader = new ClientReader();
    const subscription = open().subscribe('paused-state', {
      ...reader.options,
      state: true,
      onEvent(event) {
        reader.options.onEvent?.(event);
        subscription.pause();
      },
    });
    await reader.heard('c');
    await post('/publish/paused-state?key=a', 'a2');
    subscription.resume();
    await reader.heard('a2');
    expect(reader.texts).toEqual(['a', 'b', 'c', 'a2']);
  });

  test('ends with its subscription, which says that it is closed', async () => {
    let closed = 0;
    open();
    const subscription = client.subscribe('paused-closed', { onClose: () => closed++ });
    subscription.pause();
    client.close();
    subscription.resume();
    subscription.close();
    expect([closed, client.status]).toEqual([1, 'closed']);
  });
});
