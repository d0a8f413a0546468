import { deepEqual, equal, ok } from 'node:assert/strict';
import { request } from 'node:http';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { eventually } from '../support/client-pages.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';
import { checkLook } from '../support/screenshots.ts';
import { watchPage } from '../support/watch-page.ts';

let broker: Broker;
/** Serves the broker under the path `/sluice`. */
let proxy: PageServer;
beforeAll(async () => {
  broker = await startBroker();
  proxy = await startPageServer(({ method, headers, url = '' }, outgoing) => {
    const path = url.replace('/sluice', '');
    request(`${broker.url}${path}`, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    }).end();
  });
});
afterAll(async () => {
  await proxy?.close();
  await broker?.kill();
});

describe.each(PAGE_BROWSERS)('the API page in %s', (name) => {
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  /** A test provokes these complaints, and leaves no others in `complaints`. */
  let provoked: string[];

  beforeAll(async () => {
    browser = await launchBrowser(name);
    page = await browser.newPage();
    complaints = watchPage(page, broker.url, proxy.origin);
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    provoked = [];
    complaints.length = 0;
    // Without it, the page of the test before would only go to another fragment.
    await page.goto('about:blank');
    await page.setViewport({ width: 1280, height: 800 });
  });
  afterEach(() => deepEqual(complaints, provoked));

  /** Opens the page, with an operation or without. */
  async function open(id = ''): Promise<void> {
    await page.goto(`${broker.url}/docs${id && `#${id}`}`);
    await page.waitForSelector(id === '' ? '.operation' : `#api-${id}[open] .inside`);
  }

  async function texts(selector: string): Promise<string[]> {
    return await page.$$eval(selector, (all) => all.map((one) => one.textContent ?? ''));
  }

  async function textOf(selector: string): Promise<string> {
    return (await texts(selector)).join('');
  }

  /** Enters a value as a visitor does. */
  async function fill(selector: string, value: string): Promise<void> {
    await page.$eval(
      selector,
      (field, text) => {
        (field as HTMLInputElement).value = text;
        field.dispatchEvent(new Event('input', { bubbles: true }));
      },
      value,
    );
  }

  async function sees(selector: string, text: string): Promise<void> {
    await eventually(async () => ok((await textOf(selector)).includes(text), `${selector} lacks ${text}`));
  }

  async function language(id: string, label: string): Promise<string> {
    const tabs = await page.$$(`#api-${id} [role="tab"]`);
    for (const tab of tabs) if ((await tab.evaluate((one) => one.textContent)) === label) await tab.click();
    return await textOf(`#api-${id} .sample code`);
  }

  test('shows every operation, in the order of the document, and loads nothing from other hosts', async () => {
    await open();
    const response = await fetch(`${broker.url}/openapi.json`);
    const { paths } = (await response.json()) as { paths: Record<string, object> };
    expect(new Set(await texts('.operation .path'))).toEqual(new Set(Object.keys(paths)));
    const groups = ['Publishing', 'Subscribing', 'Looking in', 'Credentials', 'Health, metrics and pages'];
    expect(await texts('.operations h2')).toEqual(groups);
    expect(await texts('#contents h3')).toEqual(groups);
    // Every group says what it is for.
    expect((await texts('.operations section > .note')).filter((text) => text.endsWith('.'))).toHaveLength(5);
  });

  test('and the console link to each other', async () => {
    await page.goto(broker.url);
    await page.waitForSelector('#connect-button:enabled');
    await page.click('.links a[href="docs"]');
    await page.waitForSelector('#api-publish');
    expect(await textOf('.links [aria-current="page"]')).toBe('API');
    await page.click('.links a[href="./"]');
    // Its code has loaded by then: Firefox reports a module whose page is left as an error.
    await page.waitForSelector('#connect-button:enabled');
  });

  test('publishes with a key, and shows the event in a stream until it is stopped', async () => {
    await open('subscribe');
    await page.$eval('#api-subscribe [name="query plain"]', (flag) => (flag as HTMLElement).click());
    await sees('#api-subscribe .sample code', '/events/news?last=1&plain');
    await page.$eval('#api-subscribe [name="query plain"]', (flag) => (flag as HTMLElement).click());
    await page.click('#api-subscribe .primary');
    await sees('#api-subscribe .outcome', 'sluice:ready');
    await sees('#api-subscribe .outcome', 'The stream is live');
    await fill('#credential', broker.key);
    await page.click('#contents a[href="#publish"]');
    await page.waitForSelector('#api-publish .inside');
    await fill('#api-publish [name="body"]', '{"channel":"news","data":"from the page"}');
    await page.click('#api-publish .primary');
    await sees('#api-publish .outcome', '200 OK');
    await sees('#api-subscribe .outcome', 'data: from the page');
    await page.click('#api-subscribe .buttons button:last-child');
    await sees('#api-subscribe .outcome', 'Stopped.');
  });

  test('fills in another example, as form and as code, and shows a refusal unchanged', async () => {
    await open('publishRaw');
    await page.select('#api-publishRaw [name="example"]', 'JSON text with a type');
    expect(
      await page.$eval('#api-publishRaw [name="query event"]', (field) => (field as HTMLInputElement).value),
    ).toBe('created');
    await sees('#api-publishRaw .sample code', '/publish/orders.42?event=created');
    await page.click('#api-publishRaw .primary');
    await sees('#api-publishRaw .outcome', 'urn:sluice:problem:unauthorized');
    provoked = ['401 /publish/orders.42'];
    await open('subscribe');
    await page.select(
      '#api-subscribe [name="example"]',
      'Resume from a cursor that this broker does not know: events may be missing',
    );
    const filled = await page.$$eval('#api-subscribe .field input', (inputs) =>
      inputs.map(({ value }) => value).filter(Boolean),
    );
    expect(filled).toEqual(['news', '1763596799000-0']);
  });

  test('describes a body and the events of a stream field by field', async () => {
    await open('publish');
    const fields = await page.$eval('#api-publish .alternatives .fields', (one) =>
      [...one.children].map((child) => child.querySelector(':scope > code')?.textContent).filter(Boolean),
    );
    expect(fields.filter((field) => field !== undefined)).toEqual(
      expect.arrayContaining(['channel', 'channels', 'event', 'data', 'key', 'delete', 'close', 'ifLast']),
    );
    expect((await texts('#api-publish .alternatives .choice')).slice(0, 3)).toEqual([
      'Either: object. ',
      'Exactly one of these is needed: channel, or channels. At least one of these is needed: data, or close, or key and delete.',
      expect.stringContaining('Or: list, at least 1, up to 10000; each object. Up to 10,000 events.'),
    ]);
    await open('subscribe');
    expect(await texts('#api-subscribe .event > code')).toEqual(
      expect.arrayContaining(['sluice:ready', 'sluice:gap', 'sluice:closing', 'sluice:heartbeat']),
    );
    await open('disconnect');
    expect((await texts('#api-disconnect .choice'))[0]).toBe(
      'At least one of these is needed: sub, or channel.',
    );
    await open('makeToken');
    expect((await texts('#api-makeToken .choice'))[0]).toBe(
      'At least one of these is needed: subscribe, or publish, or admin, and not empty.',
    );
  });

  test('subscribes to several channels, as form and as code', async () => {
    await open('subscribeToMany');
    await fill('#api-subscribeToMany [name="query channel"]', 'orders.42 chat.7 ');
    const code = await language('subscribeToMany', 'EventSource');
    expect(code).toContain(`${broker.url}/events?channel=orders.42&channel=chat.7`);
    await page.click('#api-subscribeToMany .primary');
    await sees('#api-subscribeToMany .outcome', '"channels":{"chat.7":"0-0","orders.42":"0-0"}');
  });

  test('keeps the chosen language, moves by keys, copies the code, and never shows the credential', async () => {
    await open('publish');
    await fill('#credential', broker.key);
    await language('publish', 'Python');
    await page.click('#contents a[href="#subscribe"]');
    await page.waitForSelector('#api-subscribe .inside');
    const chosen = '#api-subscribe [role="tab"][aria-selected="true"]';
    expect(await textOf(chosen)).toBe('Python');
    await page.focus(chosen);
    await page.keyboard.press('ArrowLeft');
    expect(await textOf(`${chosen}:focus`)).toBe('@sluice/client');
    await page.keyboard.press('Home');
    expect(await textOf(`${chosen}:focus`)).toBe('curl');
    // The channel needs a token, perhaps: the visitor has one.
    const code = await textOf('#api-subscribe .sample code');
    expect(code).toContain('-H "Authorization: Bearer $TOKEN"');
    expect(await page.content()).not.toContain(broker.key);
    await page.evaluate(() => {
      Object.defineProperty(navigator, 'clipboard', {
        value: { writeText: (text: string) => Promise.resolve((document.title = text)) },
      });
    });
    await page.click('#api-subscribe .copy');
    await eventually(async () => equal(await page.title(), code.replaceAll(/\s+/g, ' ')));
    await fill('#api-subscribe [name="path channel"]', 'a/b');
    expect(await textOf('#api-subscribe .sample .note')).toContain('not valid');
    expect(await textOf('#api-subscribe .sample code')).toBe('');
  });

  test('finds operations by words, and opens the first with Enter', async () => {
    await open();
    await page.type('#find', 'state read');
    const visible = await page.$$eval('.operation:not([hidden])', (all) => all.map(({ id }) => id));
    expect(visible).toEqual(['api-readState']);
    expect(await textOf('#found')).toMatch(/^1 of \d+ operations$/);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#api-readState[open] summary:focus');
    expect(page.url()).toBe(`${broker.url}/docs#readState`);
    // A link to an operation that the words do not match shows all of them again.
    await page.evaluate("location.hash = 'publish'");
    await page.waitForSelector('#api-publish[open] summary:focus');
    expect(await page.$$eval('.operation[hidden]', (all) => all.length)).toBe(0);
  });

  test('folds its list of operations on a phone', async () => {
    await page.setViewport({ width: 390, height: 844 });
    await open();
    expect(await page.$('#contents[open]')).toBeNull();
    await page.click('#contents summary');
    await page.click('#contents a[href="#readStatus"]');
    await page.waitForSelector('#api-readStatus[open] summary:focus');
    expect(await page.$('#contents[open]')).toBeNull();
  });

  test('works behind a proxy that adds a prefix', async () => {
    await page.goto(`${proxy.origin}/sluice/docs#liveness`);
    await page.waitForSelector('#api-liveness .inside');
    await sees('#api-liveness .sample code', `${proxy.origin}/sluice/livez`);
    await page.click('#api-liveness .primary');
    await sees('#api-liveness .outcome', '200 OK');
    await page.click('.links a[href="./"]');
    await page.waitForSelector('#connect-button:enabled');
    expect(await page.evaluate('location.href')).toBe(`${proxy.origin}/sluice/`);
  });

  test('looks good', async () => {
    await open();
    await checkLook(page, name, 'api-page');
    await page.click('#api-publish > summary');
    await page.waitForSelector('#api-publish .inside');
    await language('publish', '@sluice/client');
    await fill('#credential', broker.key);
    await page.click('#api-publish .primary');
    await sees('#api-publish .outcome', '200 OK');
    await checkLook(page, name, 'api-page-publish', '#api-publish [name="body"]');
  });
});
