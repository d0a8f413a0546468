import { deepEqual } from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { signToken } from '../support/sign-token.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';
import { openWatchedPage } from '../support/watched-page.ts';

const SECRET = 'a secret of more than thirty-two bytes';

let browser: Browser;
let broker: Broker;
let relay: TcpRelay;
let page: Page;
let complaints: string[];
let provoked: string[];
/** Every URL that the page requests. */
let asked: string[];
let token = '';

beforeAll(async () => {
  broker = await startBroker({
    SLUICE_RETRY: '500ms',
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: 'open',
  });
  relay = await startTcpRelay(broker.port);
  browser = await launchChromium();
  token = signToken(
    { sluice: { subscribe: ['closed'] }, exp: Math.floor(Date.now() / 1_000) + 3_600 },
    SECRET,
  );
});
afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await broker?.stop();
});
beforeEach(async () => {
  provoked = [];
  asked = [];
  ({ page, complaints } = await openWatchedPage(browser, relay.url));
  page.on('request', (request) => asked.push(request.url()));
});
afterEach(async () => {
  await page.context().close();
  deepEqual(complaints, provoked);
});

const caughtUp = (): Promise<void> => page.getByText('Caught up').waitFor();

/** Every place where a bystander, the history or a proxy's log could reveal the token. */
async function placesOfToken(): Promise<string[]> {
  const { title, hash, links, shown, stored, state } = await page.evaluate(() => ({
    title: document.title,
    hash: location.href,
    links: [...document.querySelectorAll('a')].map(({ href }) => href).join(' '),
    shown: document.documentElement.outerHTML,
    stored: JSON.stringify([localStorage, sessionStorage, document.cookie]),
    state: JSON.stringify(history.state),
  }));
  const places = { title, hash, links, shown, stored, state, asked: asked.slice(1).join(' ') };
  return Object.entries(places)
    .filter(([, text]) => text.includes(token) || text.includes('token='))
    .map(([place]) => place);
}

test.each([
  ['token={}', ''],
  ['last=2&token={}', '?last=2'],
  ['token={}&last=2', '?last=2'],
  ['%74oken={}&since=0', '?since=0'],
])('the token of a link opens the channel and appears nowhere: #closed?%s', async (query, rest) => {
  await page.goto(`${relay.url}/#closed?${query.replace('{}', token)}`);
  await caughtUp();
  expect(page.url()).toBe(`${relay.url}/#closed${rest}`);
  expect(await placesOfToken()).toEqual([]);
});

test('every reconnect sends the token', async () => {
  await page.goto(`${relay.url}/#closed?token=${token}`);
  await caughtUp();
  relay.cut();
  await page.locator('#events > li', { hasText: 'Caught up' }).nth(1).waitFor();
  expect(await placesOfToken()).toEqual([]);
});

test('a link that is followed on the open page leaves no token in the history either', async () => {
  await page.goto(`${relay.url}/#open`);
  await caughtUp();
  await page.evaluate((fragment) => location.assign(fragment), `#closed?token=${token}`);
  await expect.poll(() => page.url()).toBe(`${relay.url}/#closed`);
  await caughtUp();
  await page.goBack();
  await expect.poll(() => page.url()).toBe(`${relay.url}/#open`);
  await page.goForward();
  await expect.poll(() => page.url()).toBe(`${relay.url}/#closed`);
  await caughtUp();
  expect(await placesOfToken()).toEqual([]);
});

test('after a reload the page says that the token is gone, and accepts one in a field', async () => {
  provoked = ['401 /events/closed'];
  await page.goto(`${relay.url}/#closed?token=${token}`);
  await caughtUp();
  await page.reload();
  await page.getByText('401 Unauthorized').waitFor();
  await page.getByText('reloading the page removed it').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await caughtUp();
  expect(await placesOfToken()).toEqual([]);
});

test('a token that does not fit into a header is not sent', async () => {
  await page.goto(`${relay.url}/#closed?token=gr%C3%B6%C3%9Fe`);
  await page.getByText('Not a token').waitFor();
  expect(page.url()).toBe(`${relay.url}/#closed`);
  expect(asked.filter((url) => url.includes('/events/'))).toEqual([]);
});
