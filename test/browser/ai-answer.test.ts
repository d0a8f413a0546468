import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChatState } from '../../examples/ai-answer/chat-state.ts';
import { eventually } from '../support/client-pages.ts';
import { documentShell } from '../support/document-shell.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import { checkLook } from '../support/screenshots.ts';
import { startExample } from '../support/start-example.ts';
import type { StartedExample } from '../support/start-example.ts';

let example: StartedExample;
beforeAll(async () => {
  // The whole answer then takes a little more than a second.
  example = await startExample(
    documentShell('examples/ai-answer/README.md', import.meta.filename)('npm run example ai-answer'),
    { WORD_DELAY_MS: '8' },
  );
});
afterAll(() => example?.example.kill('SIGTERM'));

/** Writes a message as a person does: React listens for the keys. */
async function send(page: Page, text: string): Promise<void> {
  await page.focus('input');
  await page.type('input', text);
  await press(page, 'Send');
}

async function press(page: Page, name: string): Promise<void> {
  await page.evaluate((text) => {
    for (const button of document.querySelectorAll('button')) if (button.textContent === text) button.click();
  }, name);
}

const textOf = async (page: Page): Promise<string> => await page.evaluate(() => document.body.innerText);
const items = async (page: Page): Promise<(string | null)[]> =>
  await page.$$eval('li', (all) => all.map(({ textContent }) => textContent));
const shows = async (pages: readonly Page[], text: string): Promise<void> => {
  for (const page of pages) await eventually(async () => expect(await textOf(page)).toContain(text));
};

/** The texts that the backend has, once the answer has ended in all pages. */
async function said(pages: readonly Page[], chat: string): Promise<string[]> {
  await shows(pages, 'Send');
  const state = (await (await fetch(chat.replace('/chats/', '/api/chats/'))).json()) as ChatState;
  expect(state.running).toBe(false);
  return state.messages.map(({ parts }) =>
    parts.map((part) => (part.type === 'text' ? part.text : '')).join(''),
  );
}

test('a page of another origin cannot ask', async () => {
  const response = await fetch(`${example.page}/api/chats/other`, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'cross-site', 'content-type': 'text/plain' },
    body: JSON.stringify({ id: '1', text: 'How does it work?' }),
  });
  expect(response.status).toBe(403);
});

describe.each(PAGE_BROWSERS)('the example of an answer, in %s', (name) => {
  let browser: Browser;
  let pages: [Page, Page];
  beforeAll(async () => {
    browser = await launchBrowser(name);
    // A window each, as on two devices: a tab in the background would be slowed down.
    pages = [await browser.newPage({ type: 'window' }), await browser.newPage({ type: 'window' })];
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function openChat(id: string): Promise<string> {
    const chat = `${example.page}/chats/${name}-${id}`;
    await Promise.all(pages.map((page) => page.goto(chat)));
    await shows(pages, 'Send');
    return chat;
  }

  test('two pages are in step, also when one reloads in the middle; a late one shows the same', async () => {
    const chat = await openChat('steps');
    const [one, other] = pages;
    await send(one, 'How does it work?');
    await shows(pages, 'needs no key');
    await one.reload();
    await shows(pages, 'Open the address');
    await other.reload();
    await shows(pages, 'in the middle of its answer.');
    const texts = await said(pages, chat);
    expect(texts).toEqual(['How does it work?', expect.stringContaining('in the middle of its answer.')]);
    await other.goto('about:blank');
    await other.goto(chat);
    for (const page of pages) await eventually(async () => expect(await items(page)).toEqual(texts));
    await checkLook(one, name, 'example-ai-answer');
  });

  test('the second page stops the answer, and both show that', async () => {
    const chat = await openChat('stop');
    const [one, other] = pages;
    await send(one, 'How does it work?');
    await shows(pages, 'needs no key');
    await press(other, 'Stop');
    await shows(pages, 'Stopped.');
    const [question, answer] = await said(pages, chat);
    expect(answer).not.toContain('in the middle of its answer.');
    for (const page of pages) expect(await items(page)).toEqual([question, `${answer}Stopped.`]);
  });

  test('the model fails: both pages show that, and the next answer comes', async () => {
    const chat = await openChat('fail');
    const [one, other] = pages;
    await send(one, 'Please fail.');
    await shows(pages, 'The model is overloaded.');
    await said(pages, chat);
    await send(other, 'Once more.');
    await shows(pages, 'in the middle of its answer.');
    await said(pages, chat);
  });

  test('the broker is killed and forgets everything: the backend sends the answer again, and the pages show all of it', async () => {
    const chat = await openChat('restart');
    await send(pages[0], 'How does it work?');
    await shows(pages, 'needs no key');
    await example.restartBroker();
    await shows(pages, 'in the middle of its answer.');
    const texts = await said(pages, chat);
    for (const page of pages) await eventually(async () => expect(await items(page)).toEqual(texts));
  });
});
