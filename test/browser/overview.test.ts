import { deepEqual } from 'node:assert/strict';
import type { Browser, HTTPRequest, Page, ResponseForRequest } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/client-pages.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import { checkLook } from '../support/screenshots.ts';
import { openLiveStreams, openStream } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

let stage: Stage;
const streams: SseStream[] = [];
/** Reads nothing. */
let late: SseStream;

beforeAll(async () => {
  stage = await Stage.open({ env: { SLUICE_STALL_TIMEOUT: '10m' } });
  const [a, b] = [stage.broker(0), stage.broker(1)];
  streams.push(...(await openLiveStreams(`${a.url}/events/news`, 3)));
  streams.push(...(await openLiveStreams(`${b.url}/events/news`, 2)));
  late = await openStream(`${b.url}/events/lag`, {});
  await late.until('sluice:ready');
  late.pause();
  const data = 'x'.repeat(900_000);
  for (let i = 0; i < 12; i++) await a.publish('lag', data);
  for (const channel of ['news', 'users.7', 'users.8', 'users.9']) await a.publish(channel, 'hello');
});

afterAll(async () => {
  for (const stream of [...streams, late]) stream?.close();
  await stage?.close();
});

describe.each(PAGE_BROWSERS)('the overview in %s', (name) => {
  let browser: Browser;
  let page: Page;
  /** Exceptions, and violations of the content security policy. */
  let complaints: string[];

  beforeAll(async () => {
    browser = await launchBrowser(name);
  });
  afterAll(async () => {
    await browser?.close();
  });
  beforeEach(async () => {
    const context = await browser.createBrowserContext();
    page = await context.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => {
      if (/content.security.policy|trusted/i.test(message.text())) complaints.push(message.text());
    });
    await page.goto(stage.broker(0).url);
    // The button works once the page's code runs.
    await page.waitForSelector('#show-overview:enabled');
    await page.click('#show-overview');
    await page.waitForSelector('#overview-key', { visible: true });
  });
  afterEach(async () => {
    await page.browserContext().close();
    deepEqual(complaints, []);
  });

  const shown = (selector = '#overview-view'): Promise<string> =>
    page.$eval(selector, (view) => (view as HTMLElement).innerText);
  const shows = (text: string | RegExp): Promise<void> =>
    eventually(async () => expect(await shown()).toMatch(text));
  const lookIn = async (key: string): Promise<void> => {
    await page.$eval('#overview-key', (field) => {
      (field as HTMLInputElement).value = '';
    });
    await page.type('#overview-key', key);
    await page.keyboard.press('Enter');
  };
  /** The rows of a table, with the texts of their cells joined. */
  const rowsOf = (label: string): Promise<string[]> =>
    page.$$eval(`table[aria-label="${label}"] tbody tr`, (rows) =>
      rows.map((row) => [...row.cells].map(({ textContent }) => textContent).join(' | ')),
    );
  const plotOf = (title: string): Promise<string> =>
    page.$eval(`[role="img"][aria-label^="${title}"]`, (plot) => plot.getAttribute('aria-label') ?? '');

  test('shows replicas, rates that move, the busiest channels, and who is behind', async () => {
    await lookIn(stage.broker(0).key);
    await shows(/Redis: up/);
    const publishing = setInterval(() => void stage.broker(0).publish('news', 'x'), 50);
    await eventually(async () => expect(await plotOf('Delivered')).toMatch(/[1-9][\d.]* events\/s now/));
    await eventually(async () => expect(await plotOf('Published')).toMatch(/[1-9][\d.]* events\/s now/));
    clearInterval(publishing);
    expect(await plotOf('Connections')).toContain('6 open now');
    const replicas = await rowsOf('Replicas');
    expect(replicas).toHaveLength(2);
    for (const [index, count] of [3, 3].entries())
      expect(replicas.find((row) => row.startsWith(stage.broker(index).replica))).toContain(` | ${count} | `);
    await eventually(async () =>
      expect(await rowsOf('Busiest channels by subscribers')).toEqual(['news | 5', 'lag | 1']),
    );
    expect((await rowsOf('All channels')).map((row) => row.split(' | ')[0])).toEqual(
      expect.arrayContaining(['lag', 'news', 'users.7']),
    );
    await checkLook(page, name, 'overview');

    await page.type('#overview-prefix', 'users.');
    await page.keyboard.press('Enter');
    await eventually(async () => expect(await rowsOf('All channels')).toHaveLength(3));

    await page.locator('table[aria-label="Busiest channels by subscribers"] tr:nth-child(2) button').click();
    await shows(/1 stream\. 1 behind, the furthest by \d+ events/);
    await shows(/holders of a token|everybody/);
    expect((await rowsOf('Subscribers'))[0]).toContain(stage.broker(1).replica);
    await checkLook(page, name, 'overview-channel');

    await page.locator('::-p-text(Back)').click();
    await page.waitForSelector('table[aria-label="All channels"]', { visible: true });
    await page.locator('table[aria-label="Busiest channels by subscribers"] tr:nth-child(1) button').click();
    await shows('Open its events');
    await page.locator('::-p-text(Open its events)').click();
    await page.waitForSelector('#overview-view', { hidden: true });
    expect(await page.evaluate(() => location.hash)).toContain('news');
  });

  test('says which replica does not answer', async () => {
    await lookIn(stage.broker(0).key);
    await eventually(async () => expect(await rowsOf('Replicas')).toHaveLength(2));
    const { pid, replica } = stage.broker(1);
    process.kill(pid, 'SIGSTOP');
    try {
      await shows('Not every replica has answered');
      expect((await rowsOf('Replicas')).join()).toContain(`${replica} (no answer)`);
      await checkLook(page, name, 'overview-silent');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await eventually(async () => expect(await shown()).not.toContain('no answer'));
  });

  test('a wrong key is said once, and the key is nowhere but in its fields', async () => {
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await lookIn('a-wrong-key');
    await shows('The broker does not accept this key or token.');
    await page.waitForSelector('table[aria-label="Replicas"]', { hidden: true });
    await checkLook(page, name, 'overview-wrong-key');
    expect(asked.filter((url) => url.includes('/status'))).toHaveLength(1);
    expect(asked.filter((url) => url.includes('uPlot.esm'))).toEqual([]);
    expect(await page.$eval('#key', (field) => (field as HTMLInputElement).value)).toBe('a-wrong-key');
    const kept = await page.evaluate(() =>
      [
        location.href,
        document.title,
        document.cookie,
        document.body.innerText,
        JSON.stringify(history.state),
        Object.values(localStorage).join(),
        Object.values(sessionStorage).join(),
      ].join(' '),
    );
    expect(kept).not.toContain('a-wrong-key');
    await lookIn(stage.broker(0).key);
    await shows('Redis: up');
    // Without a key there is nothing to see.
    await page.click('#overview-key', { count: 3 });
    await page.keyboard.press('Backspace');
    await page.waitForSelector('table[aria-label="Replicas"]', { hidden: true });
    expect(await page.$eval('#key', (field) => (field as HTMLInputElement).value)).toBe('');
  });

  test('says in words what a broker, a proxy or a network does', async () => {
    let answer = 'cut' as Partial<ResponseForRequest> | 'cut' | 'late';
    let waiting: HTTPRequest | undefined;
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      const { pathname, search } = new URL(request.url());
      if (/^\/channels(\/|$)/.test(pathname)) void request.respond(crowded(pathname, search));
      else if (pathname !== '/status') void request.continue();
      else if (answer === 'cut') void request.abort();
      else if (answer !== 'late') void request.respond(answer);
      else if (waiting === undefined) waiting = request;
      else complaints.push('two requests at a time');
    });
    const cases: [typeof answer, string | RegExp][] = [
      ['cut', 'The broker cannot be reached'],
      [problem(403, 'Say please.'), 'This token is valid, but it may not read the overview. Say please.'],
      [problem(429, 'Too many.'), 'refuses requests from this address for a while. Too many.'],
      [problem(503, 'No log.'), 'The broker cannot answer this now. No log.'],
      [{ status: 502, contentType: 'text/html', body: '<h1>Bad</h1>' }, /502.*is not from Sluice.*proxy/],
      [{ status: 200, contentType: 'text/html', body: '<h1>Log in</h1>' }, /200.*is not from Sluice.*proxy/],
      ['late', 'The broker takes long to answer'],
    ];
    for (const [next, words] of cases) {
      answer = next;
      await lookIn('some-key');
      await shows(words);
    }
    answer = degraded();
    await waiting?.respond(answer);
    await shows('Redis: down: Redis does not answer');
    expect(await rowsOf('Replicas')).toEqual([`${'r'.repeat(80)} | 0.0.9 | 1 d 1 h | 12,345 | – | –`]);
  });

  test('stays readable with many channels of long names, and with many subscribers', async () => {
    await page.setRequestInterception(true);
    page.on('request', (request) => {
      const { pathname, search } = new URL(request.url());
      if (pathname === '/status') void request.respond(degraded());
      else if (/^\/channels(\/|$)/.test(pathname)) void request.respond(crowded(pathname, search));
      else void request.continue();
    });
    await lookIn('some-key');
    await eventually(async () => expect(await rowsOf('All channels')).toHaveLength(200));
    await page.$eval('table[aria-label="All channels"]', (table) => table.scrollIntoView());
    await checkLook(page, name, 'overview-crowded');
    await page.locator('table[aria-label="All channels"] button').click();
    await shows('1,000 streams. 500 behind, the furthest by 999 events.');
    expect(await rowsOf('Subscribers')).toHaveLength(100);
    await page.locator('::-p-text(Show 100 more)').click();
    await eventually(async () => expect(await rowsOf('Subscribers')).toHaveLength(200));
    await checkLook(page, name, 'overview-crowded-channel');
  });
});

function problem(status: number, detail: string): Partial<ResponseForRequest> {
  return {
    status,
    contentType: 'application/problem+json',
    headers: { 'retry-after': '1' },
    body: JSON.stringify({ type: 'urn:sluice:problem:x', title: 'A problem', status, detail }),
  };
}

/** A broker whose Redis is down, and whose other replica is of an older version, which does not count events. */
function degraded(): Partial<ResponseForRequest> {
  const log = { kind: 'redis', up: false, trouble: 'Redis does not answer' };
  const replica = { replica: 'r'.repeat(80), version: '0.0.9', uptime: 90_061, streams: 12_345 };
  const status = { ...replica, log, replicas: [replica], settings: {}, complete: false };
  return { status: 200, contentType: 'application/json', body: JSON.stringify(status) };
}

/** A broker with many channels of long names, and many subscribers. */
function crowded(pathname: string, search: string): Partial<ResponseForRequest> {
  const channels = Array.from(
    { length: 200 },
    (_, i) => `${'channel-with-a-long-name.'.repeat(8).slice(0, 196)}${i}`,
  );
  const counts = channels.slice(0, 10).map((channel, i) => ({ channel, count: 1_000_000 - i }));
  const id = '1763596800000-0';
  let body: object = {
    channels: channels.map((channel) => ({ channel, first: id, last: id, length: 1_000, ended: false })),
    next: 'more',
  };
  if (search.includes('busiest'))
    body = { seconds: 60, deliveries: counts, publishes: counts, subscribers: [], complete: false };
  else if (pathname.endsWith('/subscribers')) {
    const subscribers = Array.from({ length: 1_000 }, (_, i) => ({
      sub: i % 3 === 0 ? null : `user-${i}`,
      replica: `web-${i % 4}-5e0c81f2`,
      since: '2025-11-20T00:00:00.000Z',
      position: id,
      behind: i % 2 === 0 ? 0 : i,
    }));
    body = { channel: channels[0], count: 1_000, subscribers, complete: true };
  } else if (pathname !== '/channels') {
    const policy = { history: { size: 1_000, ttl: 3_600_000 }, public: true, latest: false, keys: 1_000 };
    body = {
      channel: channels[0],
      first: id,
      last: id,
      length: 1_000,
      bytes: 5_120_000,
      ended: true,
      keys: 12,
      policy,
    };
  }
  return { status: 200, contentType: 'application/json', body: JSON.stringify(body) };
}
