import { deepEqual } from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { openWatchedPage } from '../support/watched-page.ts';

let browser: Browser;
let broker: Broker;
let page: Page;
let complaints: string[];
/** A test provokes these complaints, and leaves no others in `complaints`. */
let provoked: string[];

beforeAll(async () => {
  broker = await startBroker();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await broker?.stop();
});
beforeEach(async () => {
  provoked = [];
  ({ page, complaints } = await openWatchedPage(browser, broker.url));
});
afterEach(async () => {
  await page.context().close();
  deepEqual(complaints, provoked);
});

/** Opens an operation on the page. */
async function open(id: string): Promise<ReturnType<Page['locator']>> {
  await page.goto(`${broker.url}/docs#${id}`);
  const operation = page.locator(`#api-${id}[open]`);
  await operation.waitFor();
  return operation;
}

test('the page shows every operation of the document, and loads nothing from other hosts', async () => {
  await page.goto(`${broker.url}/docs`);
  await page.getByRole('heading', { name: 'Health, metrics and pages' }).last().waitFor();
  const response = await fetch(`${broker.url}/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, object> };
  const shown = await page.locator('.operation .path').allTextContents();
  expect(new Set(shown)).toEqual(new Set(Object.keys(paths)));
});

test('the page and the console link to each other', async () => {
  await page.goto(broker.url);
  await page.getByText('In your own code').click();
  await page.getByRole('link', { name: 'the API' }).click();
  await page.getByText('Publish events, as JSON').waitFor();
  await page.getByRole('link', { name: 'Console' }).click();
  await page.getByLabel('Channels', { exact: true }).waitFor();
});

test('a visitor publishes with a key, and reads the event in a stream until it is stopped', async () => {
  await page.goto(`${broker.url}/docs#subscribe`);
  const subscribe = page.locator('#api-subscribe');
  await subscribe.getByRole('button', { name: 'Send' }).click();
  await subscribe.getByText('sluice:ready').first().waitFor();
  await page.getByLabel('Publish key or token').fill(broker.key);
  await page.getByRole('link', { name: 'POST /publish', exact: true }).click();
  const publish = page.locator('#api-publish');
  await publish.locator('textarea').fill('{"channel":"news","data":"from the page"}');
  await publish.getByRole('button', { name: 'Send' }).click();
  await publish.getByText('200 OK').waitFor();
  await subscribe.getByText('data: from the page').waitFor();
  await subscribe.getByRole('button', { name: 'Stop' }).click();
  await subscribe.getByText('Stopped.').waitFor();
});

test('another example fills in the form, and a refusal is shown unchanged', async () => {
  const raw = await open('publishRaw');
  await raw.getByLabel('Example').selectOption('JSON text with a type');
  expect(await raw.getByLabel('event query, optional').inputValue()).toBe('created');
  await raw.getByRole('button', { name: 'Send' }).click();
  await raw.getByText('urn:sluice:problem:unauthorized').waitFor();
  provoked = ['401 /publish/orders.42'];
});

test('a body and the events of a stream are described field by field', async () => {
  const publish = await open('publish');
  const body = publish.locator('.alternatives').first();
  expect(await body.locator('.fields').first().locator('dt > code').allTextContents()).toEqual([
    'channel',
    'channels',
    'event',
    'data',
    'key',
    'delete',
    'close',
    'ifLast',
  ]);
  expect(await body.locator('.choice').allTextContents()).toEqual([
    'Either: object. ',
    'Exactly one of these is needed: channel, or channels. At least one of these is needed: data, or close, or key and delete.',
    expect.stringContaining('Or: list, at least 1, up to 10000; each object. Up to 10,000 events.'),
  ]);
  const subscribe = await open('subscribe');
  expect(await subscribe.locator('.event > code').allTextContents()).toEqual(
    expect.arrayContaining(['sluice:ready', 'sluice:gap', 'sluice:closing', 'sluice:heartbeat']),
  );
});

test.each([
  ['disconnect', 'At least one of these is needed: sub, or channel.'],
  ['makeToken', 'At least one of these is needed: subscribe, or publish, or admin, and not empty.'],
])('the page says which of several fields is needed: %s', async (id, words) => {
  const operation = await open(id);
  expect(await operation.locator('.choice').first().textContent()).toBe(words);
});

test("an example with a cursor fills in the cursor's field", async () => {
  const subscribe = await open('subscribe');
  await subscribe.getByLabel('Example').selectOption({ index: 2 });
  const filled = await subscribe
    .locator('.field input')
    .evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value).filter(Boolean));
  expect(filled).toEqual(['news', '1763596799000-0']);
});

test('a visitor subscribes to several channels, and the example names them', async () => {
  const many = await open('subscribeToMany');
  const channels = many.getByLabel('channel query, required');
  expect(await channels.inputValue()).toBe('news news.de');
  await channels.fill('orders.42 chat.7 ');
  await many.getByRole('button', { name: 'Send' }).click();
  await many.getByText('"channels":{"chat.7":"0-0","orders.42":"0-0"}').waitFor();
});

test.each([390, 1280])('no element is wider than a window of %d pixels', async (width) => {
  await page.setViewportSize({ width, height: 800 });
  await open('subscribe');
  await page.locator('#api-publish > summary').click();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
});
