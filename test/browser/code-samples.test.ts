import { execFileSync } from 'node:child_process';
import { runInNewContext } from 'node:vm';
import type { ServerResponse } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startConsoleServer } from '../support/console-server.ts';
import type { PageServer } from '../support/page-server.ts';

// The tests run the samples unchanged: in a shell with a stub of curl that records its arguments, and in an engine with
// a stub of EventSource.

let browser: Browser;
let server: PageServer;
let page: Page;
/** The event stream of the page. */
let stream: ServerResponse | undefined;

beforeAll(async () => {
  server = await startConsoleServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('retry: 60000\n:\n');
    stream = response;
  });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  stream = undefined;
  page = await browser.newPage();
});
afterEach(() => page.close());

async function open(link: string): Promise<void> {
  await page.goto(`${server.origin}${link}`);
  await page.locator('#state:not([data-state=closed])').waitFor();
}

const shellSample = async (): Promise<string> => (await page.locator('#shell-code').textContent()) ?? '';
const pageSample = async (): Promise<string> => (await page.locator('#page-code').textContent()) ?? '';

/** The arguments of each curl in the sample. Any other command of the sample shows as a line of its own. */
async function ranByShell(): Promise<string[][]> {
  const script = `curl() { for a in "$@"; do printf '%s\\0' "$a"; done; printf '\\n'; }\n${await shellSample()}`;
  const out = execFileSync('/bin/sh', ['-eu', '-c', script], {
    env: { PATH: '/nowhere', KEY: 'the key', TOKEN: 'the token' },
    encoding: 'utf8',
  });
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\0').slice(0, -1));
}

/** The URLs that the sample opens, and the types it listens to. */
async function ranByPage(): Promise<{ urls: string[]; types: string[] }> {
  const urls: string[] = [];
  const types: string[] = [];
  class EventSource {
    constructor(url: string) {
      urls.push(url);
    }
    addEventListener(type: string): void {
      types.push(type);
    }
  }
  runInNewContext(await pageSample(), { EventSource });
  return { urls, types };
}

test.each([
  `x;touch$IFS'pwned'`,
  `x');alert(1)//`,
  '$(id)',
  '`id`',
  'x&id',
  'x|id',
  'a b',
  '-x y',
  'a/b',
  'a?b',
  'a#b',
  '<img>',
  'größe',
  '.',
  '..',
  'x'.repeat(201),
])('a name that cannot be a channel gives no sample: %j', async (name) => {
  await open(`/#${encodeURIComponent(name)}`);
  for (const sample of [await shellSample(), await pageSample()]) {
    expect(sample).toBe('');
  }
  await page.getByText('In your own code').click();
  await page.locator('#code-card').getByText('is not a valid channel name').waitFor();
  expect(await page.title()).toBe('Sluice console');
});

test('samples appear again with a valid name', async () => {
  await open('/#a%20b');
  await page.goto(`${server.origin}/#news`);
  await expect.poll(shellSample).toContain('news');
  expect(await page.locator('#no-samples').getAttribute('hidden')).toBe('');
});

test.each(['news', 'orders.42', '~a:b_c-d', '-x', 'x'.repeat(200)])(
  'both samples use the channel: %s',
  async (name) => {
    await open(`/#${encodeURIComponent(name)}`);
    const events = `${server.origin}/events/${encodeURIComponent(name)}`;
    const publish = `${server.origin}/publish/${encodeURIComponent(name)}`;
    expect(await ranByShell()).toEqual([
      ['-N', events],
      ['-H', 'Authorization: Bearer the key', '-d', 'hello', publish],
    ]);
    expect(await ranByPage()).toEqual({ urls: [events], types: ['message', 'sluice:gap'] });
  },
);

test("the console's own path is quoted, too", async () => {
  const prefix = `/it's$(id);id&\\/`;
  await open(`${prefix}#news`);
  const events = new URL(`${prefix}events/news`, server.origin).href;
  expect(events).toContain(`it's$(id)`);
  expect((await ranByShell())[0]).toEqual(['-N', events]);
  expect((await ranByPage()).urls).toEqual([events]);
});

test('published types are quoted, and break nothing', async () => {
  await open('/#news');
  const types = [
    `');alert(1)//`,
    '\\',
    '</script><script>alert(1)//',
    '\u2028"\u2029',
    '\u202egnp.exe\u200b',
  ];
  for (const type of types) stream?.write(`id: 1-1\nevent: ${type}\ndata: x\n\n`);
  await expect.poll(async () => (await ranByPage()).types).toEqual([...types, 'sluice:gap']);
  const sample = await pageSample();
  expect(sample).not.toMatch(/[<\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(sample.split('\n').length).toBe(2 + types.length);
});

test('no sample contains the token of the link or the password of the address', async () => {
  const { host } = new URL(server.origin);
  await page.goto(`http://somebody:secret@${host}/#news?token=abc.def.ghi&last=3`);
  await expect.poll(shellSample).toContain('events/news');
  const samples = `${await shellSample()}${await pageSample()}`;
  expect(samples).not.toMatch(/abc\.def|secret|somebody/);
  // The channel seems to need a token: both samples show where a token goes.
  expect(await ranByShell()).toEqual([
    ['-N', '-H', 'Authorization: Bearer the token', `${server.origin}/events/news`],
    ['-H', 'Authorization: Bearer the key', '-d', 'hello', `${server.origin}/publish/news`],
  ]);
});
