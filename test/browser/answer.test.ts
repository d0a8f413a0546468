import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { Stage } from '../support/stage.ts';

/** Lines of the answer, and how many come in a second. */
const LINES = 400;
const RATE = 200;

let browser: Browser;
let application: PageServer;
let stage: Stage;

/** Shows the answer as it comes. It starts at the first event of the channel, so that a reload shows the same text. */
const page = (address: string): string => `<!doctype html>
<title>An answer</title>
<link rel="icon" href="data:,">
<pre id="answer"></pre>
<script>
  const answer = document.getElementById('answer');
  const source = new EventSource('${address}?last_event_id=earliest');
  source.onmessage = ({ data }) => answer.append(data + '\\n');
  source.addEventListener('sluice:gap', () => answer.append('(gap)'));
  source.addEventListener('sluice:end', () => (document.title = 'ended'));
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) document.title = 'stopped'; };
</script>`;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  let address = '';
  application = await startPageServer((_incoming, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(page(address));
  });
  stage = await Stage.open({ env: { SLUICE_CORS_ORIGINS: application.origin } });
  address = `${stage.broker(0).url}/events/answer`;
});
afterEach(async () => {
  await stage.close();
  await application.close();
});

/** Uploads the lines one by one to the other replica, and ends the channel. */
async function answer(lines: readonly string[]): Promise<unknown> {
  const { url, key } = stage.broker(1);
  const upload = request(`${url}/publish/answer?each=line&close=true`, {
    method: 'POST',
    agent: false,
    headers: { authorization: `Bearer ${key}` },
  });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  for (const line of lines) {
    upload.write(`${line}\n`);
    await delay(1000 / RATE);
  }
  upload.end();
  const [response] = await answered;
  return JSON.parse(await text(response));
}

/** Opens the page, and notes the status of each answer to its EventSource. */
async function open(): Promise<{ page: Page; statuses: number[] }> {
  const opened = await browser.newPage();
  const statuses: number[] = [];
  opened.on('response', (response) => {
    if (response.url().includes('/events/')) statuses.push(response.status());
  });
  await opened.goto(application.origin);
  return { page: opened, statuses };
}

async function shows(opened: Page, line: string): Promise<void> {
  await opened.waitForFunction(
    (wanted) => document.getElementById('answer')?.textContent.includes(`${wanted}\n`),
    line,
  );
}

test('an answer survives reloads, a late page and a killed replica: every page shows the same text and then stops', async () => {
  const lines = Array.from({ length: LINES }, (_, i) => `token ${i + 1}`);
  const line = (share: number): string => lines[Math.floor(LINES * share)] as string;
  const first = await open();
  const uploaded = answer(lines);
  await shows(first.page, line(0.1));
  await first.page.reload();
  await shows(first.page, line(0.25));
  await first.page.reload();
  const late = await open();
  await shows(late.page, line(0.4));
  await stage.broker(0).kill();
  await stage.revive(0);
  expect(await uploaded).toMatchObject({ channel: 'answer', published: LINES });
  for (const { page: opened, statuses } of [first, late]) {
    await opened.waitForFunction(() => document.title === 'stopped');
    expect(await opened.locator('#answer').textContent()).toBe(lines.map((one) => `${one}\n`).join(''));
    expect(statuses.at(-1)).toBe(204);
    await opened.close();
  }
  // A page that comes after the end gets the answer as well.
  const afterwards = await open();
  await afterwards.page.waitForFunction(() => document.title === 'stopped');
  expect(await afterwards.page.locator('#answer').textContent()).toBe(
    lines.map((one) => `${one}\n`).join(''),
  );
  expect(afterwards.statuses).toEqual([200, 204]);
  await afterwards.page.close();
});
