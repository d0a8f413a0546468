import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/client-pages.ts';
import { documentShell } from '../support/document-shell.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import { checkLook } from '../support/screenshots.ts';
import { startExample } from '../support/start-example.ts';
import type { StartedExample } from '../support/start-example.ts';

let fileExport: StartedExample;
let chat: StartedExample;
let smallest: StartedExample;
beforeAll(async () => {
  // An export takes two seconds.
  fileExport = await startExample(
    documentShell('examples/file-export/README.md', import.meta.filename)('npm run example file-export'),
    { STEP_MS: '50' },
  );
  [chat, smallest] = await Promise.all([
    startExample(documentShell('examples/chat/README.md', import.meta.filename)('npm run example chat')),
    startExample(
      documentShell('examples/smallest/README.md', import.meta.filename)('npm run example smallest'),
    ),
  ]);
});
afterAll(async () => {
  await Promise.all([fileExport, chat, smallest].map((started) => started?.example.kill('SIGTERM')));
});

const textOf = async (page: Page, selector: string): Promise<string> =>
  await page.$eval(selector, (element) => element.textContent ?? '');
const shows = async (page: Page, selector: string, text: string | RegExp): Promise<void> =>
  await eventually(async () => expect(await textOf(page, selector)).toMatch(text));

/** Without the mouse, which is with one window at a time. */
const click = async (page: Page, selector: string): Promise<void> =>
  await page.$eval(selector, (element) => (element as HTMLElement).click());
const write = async (page: Page, selector: string, text: string): Promise<void> =>
  await page.$eval(
    selector,
    (element, value) => {
      (element as HTMLInputElement).value = value;
      element.dispatchEvent(new Event('input', { bubbles: true }));
    },
    text,
  );

const post = async (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

/** What a page gets to read: where the broker is, and a token. */
async function accessOf(url: string): Promise<{ broker: string; token: string }> {
  return (await (await fetch(url)).json()) as { broker: string; token: string };
}

const statusOf = async (
  { broker, token }: { broker: string; token: string },
  channel: string,
): Promise<number> => {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`${broker}/events/${channel}`, { method: 'HEAD', headers })).status;
};

/** Sends a message to the backend. Returns the id of its event, or the status of a refusal. */
const say = async (room: string, body: unknown, key: string): Promise<unknown> => {
  const url = `${chat.page}/rooms/${room}/messages`;
  const answer = await post(url, body, { 'idempotency-key': key });
  return answer.ok ? ((await answer.json()) as { id: string }).id : answer.status;
};

/** A file of the smallest example. */
const read = async (name: string): Promise<string> =>
  await readFile(new URL(`../../examples/smallest/${name}`, import.meta.url), 'utf8');

/** The rows that an export has, from the text of its page. */
const rowsOf = (text: string): number =>
  text.includes('ready') ? 10_000 : Number.parseInt(text.replace(',', ''));

/** What the messages of a chat say. */
const texts = async (page: Page): Promise<(string | null)[]> =>
  await page.$$eval('#messages p', (all) => all.map(({ textContent }) => textContent));

test('a page gets a token for its channels, and not the publish key', async () => {
  const started = await fetch(`${fileExport.page}/exports`, { method: 'POST' });
  const { id } = (await started.json()) as { id: string };
  for (const [{ page, key }, path, channel, other] of [
    [fileExport, `/exports/${id}/access`, `exports.${id}`, 'exports.another'],
    [chat, '/access', 'rooms.lobby', 'another.lobby'],
  ] as const) {
    const access = await accessOf(page + path);
    expect(JSON.stringify(access)).not.toContain(key);
    expect([await statusOf(access, channel), await statusOf(access, other)]).toEqual([200, 403]);
    const headers = { authorization: `Bearer ${access.token}` };
    expect((await post(`${access.broker}/publish`, { channel, data: 'x' }, headers)).status).toBe(403);
  }
  await fetch(`${fileExport.page}/exports/${id}`, { method: 'DELETE' });
  // A page of another origin cannot start one.
  const headers = { 'sec-fetch-site': 'cross-site' };
  expect((await fetch(`${fileExport.page}/exports`, { method: 'POST', headers })).status).toBe(403);
});

test('the chat takes a message once, and refuses what is too long, blank, or for no room', async () => {
  const message = { name: 'Ann', text: 'Hello' };
  expect(await say('kitchen', message, 'a')).toBe(await say('kitchen', message, 'a'));
  expect(await say('kitchen', { name: 'Ann', text: 'x'.repeat(501) }, 'b')).toBe(400);
  expect(await say('kitchen', { name: ' ', text: 'Hello' }, 'c')).toBe(400);
  expect(await say('cellar', message, 'd')).toBe(400);
  // The page shows the last 50 of these.
  await Promise.all(Array.from({ length: 55 }, (_, i) => say('kitchen', message, `many-${i}`)));
});

test('the smallest example has 20 lines, and its README shows all of them', async () => {
  const [server, page, readme] = await Promise.all(['backend.mjs', 'page.html', 'README.md'].map(read));
  expect(`${server}${page}`.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(20);
  expect(readme).toContain(`\`\`\`js\n${server}\`\`\``);
  expect(readme).toContain(`\`\`\`html\n${page}\`\`\``);
});

describe.each(PAGE_BROWSERS)('in %s', (name) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser(name);
  });
  afterAll(async () => {
    await browser?.close();
  });

  async function open(url: string): Promise<Page> {
    // A window of its own: a browser does not draw a tab in the background, and slows its timers down.
    const page = await browser.newPage({ type: 'window' });
    await page.goto(url);
    return page;
  }

  test('a file export shows its progress and its end in each tab, also after a reload and later', async () => {
    const page = await open(fileExport.page);
    await click(page, '[data-start="/exports"]');
    await shows(page, '#text', /^[1-9][\d,]* of 10,000 rows$/);
    await checkLook(page, name, 'example-file-export-progress');
    const before = rowsOf(await textOf(page, '#text'));
    await page.reload();
    const second = await open(page.url());
    // Nobody sees the export begin again.
    for (const tab of [page, second])
      await eventually(async () => expect(rowsOf(await textOf(tab, '#text'))).toBeGreaterThanOrEqual(before));
    for (const tab of [page, second]) await shows(tab, '#text', 'The file is ready.');
    await second.reload();
    await shows(second, '#text', 'The file is ready.');
    const link = await second.$eval('#link', (element) => (element as HTMLAnchorElement).href);
    const lines = (await (await fetch(link)).text()).split('\n');
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([10_001, 'order,total', '10000,0']);
    await checkLook(page, name, 'example-file-export-complete');

    await click(page, '[data-start="/exports"]');
    await shows(page, '#text', /[1-9][\d,]* of/);
    await second.goto(page.url());
    await eventually(async () => expect(await second.$('#cancel:not([hidden])')).not.toBeNull());
    await click(second, '#cancel');
    for (const tab of [page, second]) await shows(tab, '#text', 'The export was cancelled.');

    await click(page, '[data-start="/exports?fails"]');
    await shows(page, '#text', 'The export has failed: the database has closed the connection.');
    await checkLook(page, name, 'example-file-export-failed');
    await Promise.all([page.close(), second.close()]);
  });

  test('a chat shows each message once and as text, who is typing, and the last 50 messages', async () => {
    const room = name === 'chrome' ? 'lobby' : 'garden';
    const [ann, bob] = [await open(`${chat.page}/#${room}`), await open(`${chat.page}/#${room}`)];
    const says = async (page: Page, text: string): Promise<void> => {
      await write(page, '#text', text);
      await click(page, '#form button');
    };
    for (const [page, who] of [
      [ann, 'Ann'],
      [bob, 'Bob'],
    ] as const) {
      await shows(page, '#status', 'Live');
      await write(page, '#name', who);
    }
    await says(ann, '<b>Hello</b>');
    await shows(bob, '#messages', '<b>Hello</b>');
    await write(bob, '#text', 'Hi');
    await shows(ann, '#typing', 'Typing: Bob…');
    // The backend has the message, but the page loses the answer, and sends the message again.
    await bob.evaluate(() => {
      const original = window.fetch;
      window.fetch = async (...args) => {
        await original(...args);
        window.fetch = original;
        throw new TypeError('The answer was lost.');
      };
    });
    await says(bob, 'Hi Ann');
    await shows(ann, '#messages', 'Hi Ann');
    expect(await textOf(ann, '#typing')).toBe('');
    await says(bob, 'How are you?');
    const said = ['<b>Hello</b>', 'Hi Ann', 'How are you?'];
    for (const page of [ann, bob]) await eventually(async () => expect(await texts(page)).toEqual(said));
    // Two streams of the same URL in one browser do not hold each other up.
    for (const page of [ann, bob]) expect(await textOf(page, '#status')).toBe('Live');
    await checkLook(bob, name, 'example-chat');
    await ann.reload();
    await eventually(async () => expect(await texts(ann)).toEqual(said));
    expect(await ann.$eval('#name', (input) => (input as HTMLInputElement).value)).toBe('Ann');
    await ann.goto(`${chat.page}/#kitchen`);
    await eventually(async () => expect(await texts(ann)).toHaveLength(50));
    const headers = { authorization: `Bearer ${chat.key}` };
    const kept = await fetch(`${chat.broker}/channels/typing.${room}`, { headers });
    expect(await kept.json()).toMatchObject({ length: 0 });
    await Promise.all([ann.close(), bob.close()]);
  });

  test('the smallest page shows the time, with the client that the broker serves', async () => {
    const page = await open(smallest.page);
    await shows(page, 'h1', /^\d+:\d\d:\d\d/);
    const first = await textOf(page, 'h1');
    await eventually(async () => expect(await textOf(page, 'h1')).not.toBe(first));
    await checkLook(page, name, 'example-smallest');
    await page.close();
  });
});
