import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { readMetrics } from '../support/read-metrics.ts';

const CHANNELS = ['orders', 'news', 'chat'];

interface Received {
  readonly channel: string;
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

type Here = typeof globalThis & { received: Received[] };

let application: PageServer;
let broker: Broker;
let browser: Browser;
let context: BrowserContext;
let env: Record<string, string>;
/** Answers `/events` of the application, for tests without a broker. */
let script: (response: ServerResponse) => void;

beforeAll(async () => {
  const port = await freePort();
  const read = async (name: string): Promise<string> =>
    (await readFile(new URL(`../../examples/${name}`, import.meta.url), 'utf8')).replace(
      'http://localhost:3000',
      `http://127.0.0.1:${port}`,
    );
  const [page, module] = await Promise.all([read('shared-stream.html'), read('shared-stream.js')]);
  application = await startPageServer(({ url }, response) => {
    if (url?.startsWith('/events') === true) {
      script(response);
      return;
    }
    const isModule = url === '/shared-stream.js';
    response.setHeader('content-type', isModule ? 'text/javascript' : 'text/html; charset=utf-8');
    response.end(isModule ? module : page);
  });
  env = { PORT: String(port), SLUICE_CORS_ORIGINS: application.origin, SLUICE_RETRY: '500ms' };
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await application?.close();
});

beforeEach(async () => {
  broker = await startBroker(env);
  context = await browser.newContext();
});
afterEach(async () => {
  await context.close();
  await broker.kill();
});

async function openTabs(count: number): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let i = 0; i < count; i++) {
    const tab = await context.newPage();
    await tab.goto(application.origin);
    tabs.push(tab);
  }
  await Promise.all(tabs.map((tab) => tab.getByText('live', { exact: true }).waitFor()));
  return tabs;
}

/** Begins a shared stream in a tab, beside that of the page, and waits until it is live. */
async function share(tab: Page, url: string, channels: readonly string[]): Promise<void> {
  // As text: the test's compiler would replace the import.
  await tab.evaluate(`(async () => {
    const { shareStream } = await import('/shared-stream.js');
    globalThis.received = [];
    const onEvent = (event) => received.push(event);
    shareStream(${JSON.stringify(url)}, { channels: ${JSON.stringify(channels)}, onEvent });
  })()`);
}

const received = async (tab: Page): Promise<readonly Received[]> =>
  await tab.evaluate(() => (globalThis as Here).received);
const dataIn = async (tab: Page): Promise<readonly string[]> =>
  (await received(tab))
    .filter(({ type }) => type === 'message')
    .map(({ channel, data }) => `${channel}: ${data}`);
const listed = async (tab: Page): Promise<string[]> => await tab.locator('#events li').allTextContents();
const streams = async (): Promise<number | undefined> =>
  (await readMetrics(broker.url)).get('sluice_connections');

test('six tabs with three channels each take one connection, and a request goes through', async () => {
  const tabs = await openTabs(6);
  expect(await streams()).toBe(1);
  for (const channel of CHANNELS) await broker.publish(channel, `for ${channel}`);
  const expected = CHANNELS.map((channel) => `${channel}: for ${channel}`);
  for (const tab of tabs) {
    await expect.poll(() => listed(tab).then((items) => items.toSorted())).toEqual(expected.toSorted());
    const status = await tab.evaluate(async (url) => (await fetch(`${url}/livez`)).status, broker.url);
    expect(status).toBe(200);
  }
});

test('when the tab with the stream is closed, another one goes on, with every event once and in order', async () => {
  const tabs = await openTabs(6);
  const published: Record<string, string[]> = { orders: [], news: [], chat: [] };
  const publish = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const channel = CHANNELS[i % 3] ?? '';
      const data = String((published[channel]?.length ?? 0) + 1);
      await broker.publish(channel, data);
      published[channel]?.push(`${channel}: ${data}`);
    }
  };
  await publish(30);
  // The first tab opened the stream, and each next tab waits for the lock behind the tabs before.
  for (const tab of tabs.splice(0, 5)) await Promise.all([publish(60), tab.close()]);
  await publish(30);
  const [last] = tabs as [Page];
  await expect.poll(() => listed(last).then(({ length }) => length)).toBe(360);
  const items = await listed(last);
  for (const channel of CHANNELS)
    expect(items.filter((item) => item.startsWith(channel))).toEqual(published[channel]);
  await expect.poll(streams).toBe(1);
});

test('tabs with different channels share a stream, and each gets its own channels', async () => {
  const [one, other] = (await openTabs(2)) as [Page, Page];
  const url = `${broker.url}/events?mine`;
  await share(one, url, ['a', 'b']);
  await expect.poll(() => received(one).then(({ length }) => length)).toBe(2);
  await broker.publish('a', 'first');
  await share(other, url, ['b', 'c']);
  await expect
    .poll(() => received(other).then((all) => all.filter((event) => event.channel === 'c').length))
    .toBe(1);
  for (const channel of ['a', 'b', 'c']) await broker.publish(channel, 'second');
  await expect
    .poll(() => dataIn(one).then((all) => all.toSorted()))
    .toEqual(['a: first', 'a: second', 'b: second']);
  await expect.poll(() => dataIn(other).then((all) => all.toSorted())).toEqual(['b: second', 'c: second']);
});

test('a gap reaches every tab', async () => {
  const tabs = await openTabs(3);
  await broker.publish('news', 'before');
  for (const tab of tabs) await expect.poll(() => listed(tab)).toEqual(['news: before']);
  // The embedded log ends with the process.
  await broker.kill();
  broker = await startBroker(env);
  for (const tab of tabs) await expect.poll(() => listed(tab)).toEqual([]);
  await broker.publish('news', 'anew');
  for (const tab of tabs) await expect.poll(() => listed(tab)).toEqual(['news: anew']);
});

test('the stream closes with the last channel that ends, and is not opened again', async () => {
  let requests = 0;
  script = (response) => {
    requests++;
    response.setHeader('content-type', 'text/event-stream');
    for (const channel of ['a', 'b'])
      response.write(
        `id: ${channel}@1-0,~\ndata: last\n\nid: ${channel}@1-0,~\nevent: sluice:end\ndata: {}\n\n`,
      );
    response.end('retry: 1\n\n');
  };
  const [tab] = (await openTabs(1)) as [Page];
  await share(tab, `${application.origin}/events`, ['a', 'b']);
  await expect.poll(() => received(tab).then(({ length }) => length)).toBe(4);
  expect((await received(tab)).map(({ channel, type }) => `${channel} ${type}`)).toEqual([
    'a message',
    'a sluice:end',
    'b message',
    'b sluice:end',
  ]);
  // A second stream would be requested long before this one is live.
  await share(tab, `${broker.url}/events`, ['x']);
  await expect.poll(() => received(tab).then(({ length }) => length)).toBe(1);
  expect(requests).toBe(1);
});
