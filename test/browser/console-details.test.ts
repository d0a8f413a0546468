import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/client-pages.ts';
import { startConsoleServer } from '../support/console-server.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import type { PageServer } from '../support/page-server.ts';
import { ConsolePage } from './console-page.ts';

const GAP = { channel: 'news', after: '1-1', before: '1763596800000-0' };
const STREAM = [
  'retry: 10',
  `id: news@1-1\nevent: sluice:gap\ndata: ${JSON.stringify(GAP)}`,
  ...Array.from({ length: 40 }, (_, at) => `id: news@${1_763_596_800_123 + at}-0\ndata: event ${at}`),
  'id: news@1763596800162-0\nevent: sluice:ready\ndata: {"channels":{"news":"1763596800162-0"}}\n\n',
].join('\n\n');

let server: PageServer;
beforeAll(async () => {
  server = await startConsoleServer(
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
      response.write(STREAM);
    },
    () => 'up',
  );
});
afterAll(() => server?.close());

describe.each(PAGE_BROWSERS)('the details in %s', (name) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser(name);
  });
  afterAll(() => browser?.close());

  test('come into the window of a phone, say a notice in full, and lead back to the row', async () => {
    await using tab = await ConsolePage.open(browser, server.origin);
    await tab.page.setViewport({ width: 390, height: 844 });
    await tab.goto('#news?last_event_id=1-1');
    await tab.caughtUp();
    /** Waits until the middle of the element is in the window. */
    const isSeen = async (selector: string): Promise<void> =>
      await eventually(async () => {
        const middle = await tab.page.$eval(selector, (one) => {
          const { top, bottom } = one.getBoundingClientRect();
          return (top + bottom) / 2;
        });
        expect(middle).toBeGreaterThan(0);
        expect(middle).toBeLessThan(844);
      });
    await tab.click('.event-row.event');
    await tab.shows('#details-data', 'event 39');
    await isSeen('#details-data');
    await tab.click('#close-details');
    await isSeen('.event-row[aria-selected="true"]');
    await tab.page.$eval('#events', (list) => void (list.scrollTop = list.scrollHeight));
    await tab.shows('#events .gap', 'Events may be missing');
    await tab.click('.event-row.gap');
    await tab.shows(
      '#details-data',
      'Events may be missing after 1-1; the next event is 1763596800000-0. An application has to load its state again.',
    );
    await isSeen('#details-data');
  });

  test('have the date, 24 hours, the milliseconds and the zone', async () => {
    await using tab = await ConsolePage.open(browser, server.origin);
    await tab.page.emulateTimezone('Europe/Berlin');
    await tab.goto('#news?last_event_id=1-1');
    await tab.caughtUp();
    await tab.click('.event-row.event');
    await tab.shows('#details-data', 'event 39');
    const time = await tab.text('#details-facts time');
    for (const part of ['2025', '20', '01:00:00.162', '+1']) expect(time).toContain(part);
  });

  test('stand beside a form that says in words which character no header can have', async () => {
    await using tab = await ConsolePage.open(browser, server.origin, '#news');
    await tab.fill('#key', 'a-key–of-a-text-editor');
    await tab.click('#publish-button');
    await tab.shows('#published', 'The publish key has the character “–”, which no header can have.');
    await tab.fill('#key', '');
    await tab.click('#publish-button');
    await eventually(async () => expect(await tab.text('#published')).toBe(''));
  });
});
