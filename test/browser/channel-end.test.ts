import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventLog } from '../../src/log/event-log.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { launchChromium } from '../support/chromium.ts';
import { endChannel } from '../support/end-channel.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

/** What the page has recorded of its EventSource. */
type Listening = typeof globalThis & { source: EventSource; noted: string[] };

let redis: RedisServer;
let log: EventLog;
let broker: Broker;
let application: PageServer;
let browser: Browser;
let page: Page;
beforeAll(async () => {
  redis = await startRedis();
  log = await openRedisLog({ url: redis.url, prefix: 'sluice:', idempotencyTtl: 60_000 });
  application = await startPageServer();
  broker = await startBroker({
    REDIS_URL: redis.url,
    SLUICE_RETRY: '500ms',
    SLUICE_CORS_ORIGINS: application.origin,
  });
  browser = await launchChromium();
  page = await browser.newPage();
  await page.goto(application.origin);
});
afterAll(async () => {
  await browser?.close();
  await application?.close();
  await broker?.kill();
  await log?.close();
  await redis?.stop();
});

test('an EventSource gets the end, comes back once, and stops at the 204', async () => {
  const requests: number[] = [];
  page.on('response', (response) => {
    if (response.url().includes('/events/')) requests.push(response.status());
  });
  await page.evaluate((address) => {
    const here = globalThis as Listening;
    here.noted = [];
    here.source = new EventSource(address);
    for (const type of ['sluice:ready', 'message', 'sluice:end', 'error'])
      here.source.addEventListener(type, () => here.noted.push(type));
  }, `${broker.url}/events/answer`);
  await page.waitForFunction(() => (globalThis as Listening).noted.includes('sluice:ready'));
  await endChannel(log, 'answer', ['the last']);
  await page.waitForFunction(() => (globalThis as Listening).source.readyState === EventSource.CLOSED);
  expect(await page.evaluate(() => (globalThis as Listening).noted)).toEqual([
    'sluice:ready',
    'message',
    'sluice:end',
    'error',
    'error',
  ]);
  expect(requests).toEqual([200, 204]);
  // A second source, opened now, has come and gone before the first one could have come back once more.
  await page.evaluate(
    (address) =>
      new Promise<void>((resolve) => {
        const source = new EventSource(address);
        source.addEventListener('error', () => {
          if (source.readyState === EventSource.CLOSED) resolve();
        });
      }),
    `${broker.url}/events/answer`,
  );
  expect(requests).toEqual([200, 204, 200, 204]);
});
