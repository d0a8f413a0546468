import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';

let application: PageServer;
let broker: Broker;
let browser: Browser;
let page: Page;
let env: Record<string, string>;

beforeEach(async () => {
  const port = await freePort();
  const text = await readFile(new URL('../../examples/page.html', import.meta.url), 'utf8');
  application = await startPageServer((_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(text.replace('http://localhost:3000', `http://127.0.0.1:${port}`));
  });
  env = { PORT: String(port), SLUICE_CORS_ORIGINS: application.origin, SLUICE_RETRY: '500ms' };
  broker = await startBroker(env);
  browser = await launchChromium();
  page = await browser.newPage();
});
afterEach(async () => {
  await browser?.close();
  await broker?.kill();
  await application?.close();
});

const items = async (): Promise<string[]> => await page.locator('#news li').allTextContents();

test('the example page shows kept and new events, newest first, and clears its list after a gap', async () => {
  await broker.publish('news', 'before');
  await page.goto(application.origin);
  await expect.poll(items).toEqual(['before']);
  await broker.publish('news', '<b>after</b>');
  await expect.poll(items).toEqual(['<b>after</b>', 'before']);
  // The embedded log ends with the process.
  await broker.kill();
  broker = await startBroker(env);
  await expect.poll(items).toEqual([]);
  await broker.publish('news', 'anew');
  await expect.poll(items).toEqual(['anew']);
});

test('the example page resumes after an answer that makes a browser give up', async () => {
  await page.clock.install();
  await page.route('**/events/**', (route) => route.fulfill({ status: 502, body: 'no broker' }), {
    times: 1,
  });
  await page.goto(application.origin);
  await broker.publish('news', 'while it was away');
  await expect
    .poll(async () => {
      await page.clock.fastForward(15_000);
      return await items();
    })
    .toEqual(['while it was away']);
});
