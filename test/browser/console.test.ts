import { deepEqual } from 'node:assert/strict';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';
import { openWatchedPage } from '../support/watched-page.ts';

let browser: Browser;
let broker: Broker;
let relay: TcpRelay;
let page: Page;
let complaints: string[];
/** A test provokes these complaints, and leaves no others in `complaints`. */
let provoked: string[];
/** The channel of the current test. */
let channel = '';
let channels = 0;

beforeAll(async () => {
  broker = await startBroker({ SLUICE_RETRY: '500ms', SLUICE_HISTORY_SIZE: '600' });
  relay = await startTcpRelay(broker.port);
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await relay?.close();
  await broker?.stop();
});

beforeEach(async () => {
  channel = `console.${++channels}`;
  provoked = [];
  ({ page, complaints } = await openWatchedPage(browser, relay.url));
});

afterEach(async () => {
  await page.context().close();
  deepEqual(complaints, provoked);
});

/** Opens the console at a link and waits until it has caught up with the channel. */
async function openConsole(fragment = channel): Promise<void> {
  await page.goto(`${relay.url}/#${fragment}`);
  await page.getByText('Caught up').waitFor();
}

async function typesAndData(): Promise<string[]> {
  return await page
    .locator('#events > .event')
    .evaluateAll((rows) =>
      rows.map((row) => [...row.querySelectorAll('.type, .data')].map((cell) => cell.textContent).join(' ')),
    );
}

/** Waits for an event. A notice may have the same words. */
async function shown(text: string): Promise<void> {
  await page.locator('#events > .event', { hasText: text }).first().waitFor();
}

/** The number of open streams, by the broker's metrics. */
async function openStreams(): Promise<number> {
  return (await readMetrics(broker.url)).get('sluice_connections') ?? NaN;
}

test('a visitor names a channel, connects, and sees events of every type, newest on top', async () => {
  await page.goto(relay.url);
  await page.getByLabel('Channel').fill(channel);
  await page.keyboard.press('Enter');
  await page.getByText('Caught up').waitFor();
  expect(await page.getByRole('status').first().textContent()).toBe('Connected');
  const first = await broker.publish(channel, 'hello');
  await broker.publish(channel, { total: 12 }, 'created');
  await broker.publish(channel, 'one\ntwo\n', 'a type nobody thought of');
  await shown('two');
  expect(await typesAndData()).toEqual([
    'a type nobody thought of one\ntwo\n',
    'created {"total":12}',
    'message hello',
  ]);
  expect(await page.locator('.id').last().textContent()).toBe(first);
  const time = await page.locator('.event time').last().getAttribute('datetime');
  expect(Date.parse(time ?? '')).toBe(Number(first.split('-')[0]));
});

test('data that looks like markup is shown as text', async () => {
  const dangerous = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
  await openConsole();
  await broker.publish(channel, dangerous, '<b>bold</b>');
  await shown('onerror');
  expect(await typesAndData()).toEqual([`<b>bold</b> ${dangerous}`]);
  expect(await page.locator('#events').locator('img, script, b').count()).toBe(0);
  expect(await page.title()).toBe(`${channel} · Sluice`);
});

test('a visitor with a key publishes, with and without a type', async () => {
  await openConsole();
  await page.getByLabel('Publish key').fill(broker.key);
  await page.getByLabel('Data').fill('first');
  await page.getByRole('button', { name: 'Publish' }).click();
  await shown('first');
  await page.getByLabel('Event type').fill('created');
  await page.getByLabel('Data').fill('second\nline');
  await page.keyboard.press('Control+Enter');
  await shown('second');
  expect(await typesAndData()).toEqual(['created second\nline', 'message first']);
  const newest = await page.locator('.id').first().textContent();
  await page.getByText(`Published to ${channel} as ${newest}`).waitFor();
});

test('the key stays in its field: no storage, no cookie, no link, and gone after a reload', async () => {
  await openConsole();
  await page.getByLabel('Publish key').fill(broker.key);
  await page.getByRole('button', { name: 'Publish' }).click();
  await shown('hello');
  const kept = await page.evaluate(() => localStorage.length + sessionStorage.length);
  expect(kept).toBe(0);
  expect(await page.context().cookies()).toEqual([]);
  expect(page.url()).not.toContain(broker.key);
  await page.reload();
  expect(await page.getByLabel('Publish key').inputValue()).toBe('');
});

test("a refusal is shown in the broker's words", async () => {
  provoked = ['401 /publish', '400 /publish', `400 /events/a%2Fb`];
  await openConsole();
  const outcome = page.locator('#published');
  await page.getByLabel('Publish key').fill('wrong');
  await page.getByRole('button', { name: 'Publish' }).click();
  await outcome.getByText('401 Unauthorized').waitFor();
  await outcome.getByText('is not one of SLUICE_PUBLISH_KEYS').waitFor();
  await page.getByLabel('Publish key').fill(broker.key);
  await page.getByLabel('Event type').fill('sluice:gap');
  await page.getByRole('button', { name: 'Publish' }).click();
  await outcome.getByText('400 Bad Request').waitFor();
  await outcome.getByText('must not begin with "sluice:"').waitFor();
  await page.getByLabel('Channel').fill('a/b');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('holds "/" (U+002F) at position 2').waitFor();
  await page.getByText('urn:sluice:problem:invalid-channel').waitFor();
  expect(await page.locator('#state').textContent()).toBe('Refused');
  expect(await typesAndData()).toEqual([]);
});

test('a connection that is cut again and again is resumed, with each event once and in order', async () => {
  await openConsole();
  const total = 60;
  for (let n = 1; n <= total; n++) {
    await broker.publish(channel, `event ${n}.`);
    if (n % 20 !== 10) continue;
    await shown(`event ${n}.`);
    relay.breakDown();
    await page.locator('#state', { hasText: 'Reconnecting' }).waitFor();
    relay.mend();
  }
  await shown(`event ${total}.`);
  expect(await typesAndData()).toEqual(
    Array.from({ length: total }, (_, index) => `message event ${total - index}.`),
  );
  expect(await page.locator('.gap').count()).toBe(0);
});

test('a browser that was offline resumes after its last event', async () => {
  await openConsole();
  await broker.publish(channel, 'before');
  await shown('before');
  await page.context().setOffline(true);
  relay.cut();
  await page.locator('#state', { hasText: 'Reconnecting' }).waitFor();
  await broker.publish(channel, 'meanwhile');
  await page.context().setOffline(false);
  await shown('meanwhile');
  await broker.publish(channel, 'after');
  await shown('after');
  expect(await typesAndData()).toEqual(['message after', 'message meanwhile', 'message before']);
});

test('a link opens a channel at its start position, and a reload keeps both', async () => {
  for (let n = 1; n <= 5; n++) await broker.publish(channel, `event ${n}`);
  await openConsole(`${channel}?last=2`);
  expect(await typesAndData()).toEqual(['message event 5', 'message event 4']);
  await broker.publish(channel, 'event 6');
  await shown('event 6');
  await page.reload();
  await page.getByText('Caught up').waitFor();
  expect(await typesAndData()).toEqual(['message event 6', 'message event 5']);
  expect(page.url()).toBe(`${relay.url}/#${channel}?last=2`);
});

test('a gap says what may be missing', async () => {
  const id = await broker.publish(channel, 'kept');
  await openConsole(`${channel}?last_event_id=1-1`);
  const notice = `Events may be missing after 1-1; the next event is ${id}`;
  await page.locator('#events > .gap', { hasText: notice }).waitFor();
  expect(await typesAndData()).toEqual(['message kept']);
});

test('a disconnect ends the stream, and a connect starts a new one', async () => {
  await openConsole();
  await broker.publish(channel, 'seen');
  await shown('seen');
  await page.getByRole('button', { name: 'Disconnect' }).click();
  expect(await page.locator('#state').textContent()).toBe('Not connected');
  await expect.poll(openStreams).toBe(0);
  await broker.publish(channel, 'missed');
  expect(await typesAndData()).toEqual(['message seen']);
  await page.getByLabel('Start with').selectOption('the last 10');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('Caught up').waitFor();
  expect(await typesAndData()).toEqual(['message missed', 'message seen']);
});

test('the list is bounded, and the page stays usable during a burst', async () => {
  for (let n = 1; n <= 560; n++) await broker.publish(channel, `event ${n}.`);
  await openConsole(`${channel}?last_event_id=earliest`);
  expect(await page.locator('#events > li').count()).toBe(500);
  expect((await typesAndData())[0]).toBe('message event 560.');
  expect(await page.locator('#count').textContent()).toBe('560 received, newest 500 shown');
  await page.getByRole('button', { name: 'Clear' }).click();
  expect(await page.locator('#events > li').count()).toBe(0);
});

test('the console works with the keyboard alone, and on a phone', async () => {
  await page.setViewportSize({ width: 360, height: 640 });
  await page.goto(relay.url);
  await page.keyboard.type(channel); // the field has the focus
  await page.keyboard.press('Enter');
  await page.getByText('Caught up').waitFor();
  await page.getByLabel('Publish key').waitFor({ state: 'hidden' });
  const summary = page.locator('#publish-card > summary');
  await summary.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await page.keyboard.type(broker.key);
  await page.keyboard.press('Enter');
  await shown('hello');
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(overflow).toBe(0);
});
