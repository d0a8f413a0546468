import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
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

test('the example page stops when the channel has ended, also when it did not get the end', async () => {
  const requests: string[] = [];
  await broker.kill();
  const stub = createServer((request, response) => {
    requests.push(
      `${request.method} ${String(request.headers['last-event-id'] ?? request.url?.split('?')[1])}`,
    );
    response.setHeader('access-control-allow-origin', '*');
    if (requests.length > 1) response.writeHead(204).end();
    else {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('retry: 500\nid: 7-0\ndata: last\n\n', () => response.destroy());
    }
  });
  stub.listen(Number(env['PORT']), '127.0.0.1');
  await once(stub, 'listening');
  try {
    await page.clock.install();
    await page.goto(application.origin);
    await expect.poll(items).toEqual(['last']);
    await expect
      .poll(async () => {
        await page.clock.runFor(1_000);
        return requests;
      })
      .toEqual(['GET last=10', 'GET 7-0', 'HEAD last_event_id=7-0']);
    // Longer than the page would wait for another attempt.
    await page.clock.runFor(20_000);
    expect(await page.evaluate(async () => (await fetch('/')).ok)).toBe(true);
    expect(requests.length).toBe(3);
  } finally {
    stub.closeAllConnections();
    stub.close();
  }
});
