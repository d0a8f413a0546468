import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChatState } from '../../examples/ai-answer/chat-state.ts';
import { startBroker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { runExample } from '../support/running-example.ts';
import type { RunningExample } from '../support/running-example.ts';

const COMMAND = [process.execPath, fileURLToPath(import.meta.resolve('../../examples/ai-answer/start.ts'))];
/** The whole answer then takes a little more than a second. */
const WORD_DELAY_MS = '8';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** A device of its own, which shows the page of the chat. */
async function openDevice(chat: string): Promise<Page> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(chat);
  await page.getByPlaceholder('Ask something').waitFor();
  return page;
}

async function send(page: Page, text: string): Promise<void> {
  await page.getByPlaceholder('Ask something').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

const shows = async (page: Page, text: string): Promise<void> =>
  await page.locator('li', { hasText: text }).last().waitFor();
const ended = async (page: Page): Promise<void> => await page.getByRole('button', { name: 'Send' }).waitFor();
const items = async (page: Page): Promise<string[]> => await page.locator('li').allTextContents();

/** The texts that the backend has, once the answer has ended. */
async function said(chat: string): Promise<string[]> {
  const state = (await (await fetch(chat.replace('/chats/', '/api/chats/'))).json()) as ChatState;
  expect(state.running).toBe(false);
  return state.messages.map(({ parts }) =>
    parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  );
}

describe('the example of an answer', () => {
  let example: RunningExample;
  let origin: string;
  let chat: string;
  let chats = 0;
  let devices: Page[];
  beforeAll(async () => {
    example = runExample(COMMAND, { WORD_DELAY_MS });
    ({ page: origin } = (await example.next()) as { page: string });
  });
  afterAll(() => example?.kill('SIGTERM'));
  beforeEach(async () => {
    chat = `${origin}/chats/c${++chats}`;
    devices = await Promise.all([openDevice(chat), openDevice(chat)]);
  });
  afterEach(async () => {
    for (const device of devices) await device.context().close();
  });

  test('two devices are in step, also when one reloads in the middle; a late one shows the same', async () => {
    const [one, other] = devices as [Page, Page];
    await send(one, 'How does it work?');
    await Promise.all(devices.map((device) => shows(device, 'needs no key')));
    await one.reload();
    await Promise.all(devices.map((device) => shows(device, 'Open the address')));
    await other.reload();
    await Promise.all(devices.map(ended));
    const texts = await said(chat);
    expect(texts).toEqual(['How does it work?', expect.stringContaining('in the middle of its answer.')]);
    const late = await openDevice(chat);
    devices.push(late);
    for (const device of devices) await expect.poll(() => items(device)).toEqual(texts);
    // The next answer has a channel of its own.
    await send(late, 'And again?');
    for (const device of devices) await shows(device, 'And again?');
    await Promise.all(devices.map(ended));
    const all = await said(chat);
    expect(all).toHaveLength(4);
    for (const device of devices) await expect.poll(() => items(device)).toEqual(all);
  });

  test('the second device stops the answer, and both show that', async () => {
    const [one, other] = devices as [Page, Page];
    await send(one, 'How does it work?');
    await shows(other, 'needs no key');
    await other.getByRole('button', { name: 'Stop' }).click();
    for (const device of devices) await device.getByText('Stopped.').waitFor();
    const [question, answer] = await said(chat);
    expect(answer).not.toContain('in the middle of its answer.');
    for (const device of devices) expect(await items(device)).toEqual([question, `${answer}Stopped.`]);
  });

  test('the model fails: both devices and a late one show that, and the next answer comes', async () => {
    const [one, other] = devices as [Page, Page];
    await send(one, 'Please fail.');
    devices.push(await openDevice(chat));
    for (const device of devices)
      await device.getByRole('alert').filter({ hasText: 'The model is overloaded.' }).waitFor();
    await send(other, 'Once more.');
    for (const device of devices) await shows(device, 'in the middle of its answer.');
  });
});

test('the broker is killed and forgets everything: the backend sends the answer again, and the page shows all of it', async () => {
  const [port, brokerPort] = [await freePort(), await freePort()];
  const chat = `http://127.0.0.1:${port}/chats/restarts`;
  const env = {
    PORT: String(brokerPort),
    SLUICE_CORS_ORIGINS: new URL(chat).origin,
    SLUICE_JWT_SECRET: 'a secret that only this test and its broker know',
    SLUICE_RETRY: '500ms',
  };
  let broker = await startBroker(env);
  const example = runExample(COMMAND, {
    PORT: String(port),
    SLUICE_URL: broker.url,
    SLUICE_KEY: broker.key,
    WORD_DELAY_MS,
  });
  await example.next();
  const page = await openDevice(chat);
  await send(page, 'How does it work?');
  await shows(page, 'needs no key');
  await broker.kill();
  broker = await startBroker(env);
  await shows(page, 'in the middle of its answer.');
  await ended(page);
  const texts = await said(chat);
  await expect.poll(() => items(page)).toEqual(texts);
  await page.context().close();
  await example.kill('SIGTERM');
  await broker.kill();
});
