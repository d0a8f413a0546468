import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';

/** What the page has recorded of its EventSource. */
interface Noted {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

type Listening = typeof globalThis & { source: EventSource; noted: Noted[]; failures: number[] };

let browser: Browser;
let application: PageServer;
let broker: Broker;
let relay: TcpRelay;
let page: Page;
let channel = '';
let channels = 0;

beforeAll(async () => {
  application = await startPageServer();
  broker = await startBroker({ SLUICE_RETRY: '500ms', SLUICE_CORS_ORIGINS: application.origin });
  relay = await startTcpRelay(broker.port);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await broker?.stop();
  await application?.close();
});

beforeEach(async () => {
  channel = `page.${++channels}`;
  page = await browser.newPage();
  await page.goto(application.origin);
});

afterEach(async () => {
  await page.close();
});

/** Opens the browser's EventSource on a page of another origin than the broker. */
async function listen(url: string, ...types: string[]): Promise<void> {
  await page.evaluate(
    ([address, listened]) => {
      const here = globalThis as Listening;
      here.noted = [];
      here.failures = [];
      here.source = new EventSource(address, { withCredentials: true });
      for (const type of listened) {
        here.source.addEventListener(type, (event: MessageEvent<string>) =>
          here.noted.push({ type: event.type, data: event.data, id: event.lastEventId }),
        );
      }
      here.source.addEventListener('error', () => here.failures.push(here.source.readyState));
    },
    [url, ['message', 'sluice:ready', 'sluice:gap', ...types]] as const,
  );
}

/** Waits for an event with this data, and returns every event so far. */
async function upTo(data: string): Promise<Noted[]> {
  await page.waitForFunction(
    (wanted) => (globalThis as Listening).noted.some((event) => event.data === wanted),
    data,
  );
  return await allNoted();
}

async function untilReady(times = 1): Promise<Noted[]> {
  await page.waitForFunction(
    (wanted) =>
      (globalThis as Listening).noted.filter((event) => event.type === 'sluice:ready').length >= wanted,
    times,
  );
  return await allNoted();
}

async function allNoted(): Promise<Noted[]> {
  return await page.evaluate(() => (globalThis as Listening).noted);
}

test('events arrive with type, data and id, after a ready', async () => {
  await listen(`${relay.url}/events/${channel}`, 'created');
  const [ready] = await untilReady();
  expect(ready).toEqual({
    type: 'sluice:ready',
    id: '0-0',
    data: JSON.stringify({ channels: { [channel]: '0-0' } }),
  });
  const ids = [
    await broker.publish(channel, 'hello'),
    await broker.publish(channel, { total: 12 }, 'created'),
    await broker.publish(channel, '  Grüße\n\n🌊 data: x\n'),
    await broker.publish(channel, ''),
    await broker.publish(channel, 'last'),
  ];
  expect((await upTo('last')).slice(1)).toEqual([
    { type: 'message', id: ids[0], data: 'hello' },
    { type: 'created', id: ids[1], data: '{"total":12}' },
    { type: 'message', id: ids[2], data: '  Grüße\n\n🌊 data: x\n' },
    { type: 'message', id: ids[3], data: '' },
    { type: 'message', id: ids[4], data: 'last' },
  ]);
});

test('a connection that breaks while events are published is resumed by the browser, each event once and in order', async () => {
  await listen(`${relay.url}/events/${channel}`);
  await untilReady();
  const ids: string[] = [];
  for (let n = 1; n <= 90; n++) {
    ids.push(await broker.publish(channel, `event ${n}`));
    if (n % 30 === 10) relay.cut();
    // The next cut must hit an open connection, and not the wait before a reconnect.
    if (n % 30 === 0) await upTo(`event ${n}`);
  }
  const noted = await allNoted();
  expect(noted.filter(({ type }) => type === 'message').map(({ id }) => id)).toEqual(ids);
  expect(noted.filter(({ type }) => type === 'sluice:gap')).toEqual([]);
  expect(noted.filter(({ type }) => type === 'sluice:ready').length).toBe(4);
});

test('a connection that breaks before its first event is resumed from the id of ready', async () => {
  await broker.publish(channel, 'before');
  await listen(`${relay.url}/events/${channel}`);
  await untilReady();
  relay.breakDown();
  await page.waitForFunction(() => (globalThis as Listening).failures.length > 0);
  const id = await broker.publish(channel, 'missed');
  relay.mend();
  const noted = await upTo('missed');
  expect(noted.filter(({ type }) => type !== 'sluice:ready')).toEqual([
    { type: 'message', id, data: 'missed' },
  ]);
});

test('last= fills the page once, and is ignored when the browser reconnects', async () => {
  for (let n = 1; n <= 4; n++) await broker.publish(channel, `event ${n}`);
  await listen(`${relay.url}/events/${channel}?last=2`);
  await untilReady();
  relay.cut();
  await untilReady(2);
  await broker.publish(channel, 'event 5');
  const noted = await upTo('event 5');
  expect(noted.filter(({ type }) => type === 'message').map(({ data }) => data)).toEqual([
    'event 3',
    'event 4',
    'event 5',
  ]);
});

test('a gap reaches the page before any event, and events still arrive', async () => {
  await listen(`${relay.url}/events/${channel}?last_event_id=no-such-id`);
  await untilReady();
  await broker.publish(channel, 'later');
  const [gap, ready, later] = await upTo('later');
  expect(gap).toEqual({
    type: 'sluice:gap',
    id: '0-0',
    data: JSON.stringify({ channel, after: null, before: null }),
  });
  expect(ready?.type).toBe('sluice:ready');
  expect(later?.data).toBe('later');
});

test('a browser reconnects to a restarted broker, and gets a gap because the embedded log is gone', async () => {
  const port = await freePort();
  const env = { PORT: String(port), SLUICE_RETRY: '500ms', SLUICE_CORS_ORIGINS: application.origin };
  const before = await startBroker(env);
  await listen(`${before.url}/events/${channel}`);
  await untilReady();
  const id = await before.publish(channel, 'of the first');
  await upTo('of the first');
  expect(await before.stop()).toEqual({ code: 0, signal: null });
  const after = await startBroker(env);
  try {
    await untilReady(2);
    await after.publish(channel, 'of the second');
    const noted = await upTo('of the second');
    expect(noted.map(({ type }) => type)).toEqual([
      'sluice:ready',
      'message',
      'sluice:gap',
      'sluice:ready',
      'message',
    ]);
    expect(JSON.parse(noted[2]?.data ?? '')).toMatchObject({ channel, after: id });
  } finally {
    await after.stop();
  }
});

test('a full broker does not make the browser give up', async () => {
  const full = await startBroker({ SLUICE_MAX_CONNECTIONS: '1', SLUICE_CORS_ORIGINS: application.origin });
  try {
    await listen(`${full.url}/events/${channel}`);
    await untilReady();
    await listen(`${full.url}/events/${channel}`);
    await page.waitForFunction(() => (globalThis as Listening).failures.length > 0);
    // readyState 0 is CONNECTING: the browser will try again. 2 would be CLOSED, for ever.
    expect(await page.evaluate(() => (globalThis as Listening).failures)).toEqual([0]);
  } finally {
    await full.stop();
  }
});

test('events of the types open and error call the handlers of the same name, and have data', async () => {
  await page.evaluate((address) => {
    const here = globalThis as Listening;
    here.noted = [];
    here.failures = [];
    here.source = new EventSource(address);
    // A connection's own `open` and `error` events have neither data nor id.
    const note = (event: Event): void => {
      const { type, data = 'none', lastEventId = '' } = event as Partial<MessageEvent<string>>;
      here.noted.push({ type: `${type} of ${event.constructor.name}`, data, id: lastEventId });
    };
    here.source.addEventListener('sluice:ready', note);
    here.source.onopen = note;
    here.source.onerror = note;
    here.source.onmessage = note;
  }, `${relay.url}/events/${channel}`);
  await page.waitForFunction(() => (globalThis as Listening).noted.length === 2);
  const ids = [
    await broker.publish(channel, 'a published error', 'error'),
    await broker.publish(channel, 'a published open', 'open'),
    await broker.publish(channel, 'a published message', 'message'),
  ];
  await upTo('a published message');
  expect(await page.evaluate(() => (globalThis as Listening).source.readyState)).toBe(1);
  relay.cut();
  await page.waitForFunction(() => (globalThis as Listening).noted.length >= 7);
  const noted = await allNoted();
  expect(noted.filter(({ type }) => !type.startsWith('sluice:'))).toEqual([
    { type: 'open of Event', data: 'none', id: '' },
    { type: 'error of MessageEvent', data: 'a published error', id: ids[0] },
    { type: 'open of MessageEvent', data: 'a published open', id: ids[1] },
    { type: 'message of MessageEvent', data: 'a published message', id: ids[2] },
    { type: 'error of Event', data: 'none', id: '' },
    { type: 'open of Event', data: 'none', id: '' },
  ]);
});
