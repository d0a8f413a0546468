import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker, DataFolder } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { launchBrowser } from '../support/launch-browser.ts';

/** The data and ids that the EventSources of a page have got, by their names. */
type Listening = typeof globalThis & { noted: Record<string, string[]> };

/** Runs in the page. */
const got = (called: string, wanted: string): boolean =>
  (globalThis as Listening).noted[called]?.includes(wanted) ?? false;

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n));

describe.each(['chrome', 'firefox'] as const)('the EventSource of %s reads a compressed stream', (name) => {
  let browser: Browser;
  let broker: Broker;
  let folder: DataFolder;
  let page: Page;
  let settings: Record<string, string>;

  beforeAll(async () => {
    folder = await dataFolder();
    settings = {
      PORT: String(await freePort()),
      SLUICE_DATA_DIR: folder.path,
      SLUICE_PUBLISH_KEYS: 'a-key-for-this-test',
      SLUICE_HEARTBEAT: '200ms',
      SLUICE_RETRY: '500ms',
    };
    [browser, broker] = await Promise.all([launchBrowser(name), startBroker(settings)]);
    page = await browser.newPage();
    // A page of the broker's own origin may see the header.
    await page.goto(broker.url);
  });

  afterAll(async () => {
    await browser?.close();
    await broker?.stop();
    await folder?.remove();
  });

  async function listen(reader: string, path: string): Promise<void> {
    await page.evaluate(
      (called, url) => {
        const here = globalThis as Listening;
        const noted: string[] = [];
        here.noted = { ...here.noted, [called]: noted };
        const source = new EventSource(url);
        for (const type of ['message', 'sluice:ready', 'sluice:gap', 'sluice:heartbeat', 'sluice:end'])
          source.addEventListener(type, ({ data }: MessageEvent<string>) =>
            noted.push(type === 'message' ? data : type),
          );
        source.addEventListener('sluice:end', () => source.close());
      },
      reader,
      path,
    );
    await until(reader, 'sluice:ready');
  }

  async function until(reader: string, data: string): Promise<void> {
    await page.waitForFunction(got, {}, reader, data);
  }

  async function notedBy(reader: string): Promise<readonly string[]> {
    const all = await page.evaluate((called) => (globalThis as Listening).noted[called] ?? [], reader);
    return all.filter((one) => one !== 'sluice:heartbeat' && one !== 'sluice:ready');
  }

  test('each event at once, from the beginning or later, between heartbeats and after a kill', async () => {
    const coding = await page.evaluate(async () => {
      const aborting = new AbortController();
      const { headers } = await fetch('/events/news', { signal: aborting.signal });
      aborting.abort();
      return headers.get('content-encoding');
    });
    expect(coding).toBe('gzip');

    await listen('early', '/events/news?heartbeat=event');
    for (const number of numbers(1, 10)) {
      await broker.publish('news', number);
      // The next event comes only after this one has been read.
      await until('early', number);
    }
    await listen('late', '/events/news');
    for (const number of numbers(11, 20)) await broker.publish('news', number);
    await until('early', 'sluice:heartbeat');
    for (const number of numbers(21, 30)) {
      await broker.publish('news', number);
      await until('late', number);
    }

    await broker.kill();
    broker = await startBroker(settings);
    for (const number of numbers(31, 35)) await broker.publish('news', number);
    await until('early', '35');
    await until('late', '35');
    await fetch(`${broker.url}/publish/news?close=true`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}` },
    });
    await until('early', 'sluice:end');
    await until('late', 'sluice:end');
    expect(await notedBy('early')).toEqual([...numbers(1, 35), 'sluice:end']);
    expect(await notedBy('late')).toEqual([...numbers(11, 35), 'sluice:end']);
  });
});
