import type { Browser, BrowserContext } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { Numbers, Tab, startClientPages } from '../support/client-pages.ts';
import { launchBrowser } from '../support/launch-browser.ts';
import type { BrowserName } from '../support/launch-browser.ts';
import type { PageServer } from '../support/page-server.ts';
import { readMetrics } from '../support/read-metrics.ts';

let pages: PageServer;
beforeAll(async () => {
  pages = await startClientPages();
});
afterAll(async () => {
  await pages?.close();
});

describe.each<BrowserName>(['chrome', 'firefox'])('tabs of %s that share', (name) => {
  let browser: Browser;
  let broker: Broker;
  let context: BrowserContext;
  let a: Numbers;

  beforeAll(async () => {
    [browser, broker] = await Promise.all([
      launchBrowser(name),
      startBroker({ SLUICE_CORS_ORIGINS: pages.origin, SLUICE_RETRY: '500ms' }),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await broker?.kill();
  });
  let round = 0;
  beforeEach(async () => {
    context = await browser.createBrowserContext();
    a = new Numbers(`a${++round}`, () => broker);
  });
  afterEach(async () => {
    await context.close();
    await expect.poll(connections).toBe(0);
  });

  const connections = async (): Promise<number | undefined> =>
    (await readMetrics(broker.url)).get('sluice_connections');
  const channel = (): string => `a${round}`;
  const open = async (channels: readonly string[] = [channel()]): Promise<Tab> => {
    const tab = await Tab.open(context, pages.origin, {
      url: broker.url,
      channels,
      options: { share: true },
    });
    await tab.ready(...channels);
    return tab;
  };

  test('six tabs have one connection, and the next one goes on when its tab is closed', async () => {
    const tabs: Tab[] = [];
    for (let i = 0; i < 6; i++) tabs.push(await open());
    expect(await connections()).toBe(1);
    await a.publish(3);
    for (const tab of tabs) await tab.has(channel(), a.published);
    // The first tab opened the connection, and each next tab waits behind the tabs before.
    for (const leader of tabs.splice(0, 2)) await a.publishDuring(leader.close());
    await a.publish(3);
    for (const tab of tabs) await tab.has(channel(), a.published);
    expect(await connections()).toBe(1);
  });
});
