import type { Browser, BrowserContext, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../support/launch-browser.ts';
import type { BrowserName } from '../support/launch-browser.ts';
import { checkLook } from '../support/screenshots.ts';
import { startExample } from '../support/start-example.ts';
import type { StartedExample } from '../support/start-example.ts';

const EXAMPLES = ['dashboard', 'iot-board', 'notifications'] as const;
type ExampleName = (typeof EXAMPLES)[number];

const started = new Map<ExampleName, StartedExample>();
const example = (name: ExampleName): StartedExample => {
  const one = started.get(name);
  if (one === undefined) throw new Error(`${name} is not started`);
  return one;
};

beforeAll(async () => {
  // The first one builds the client, if it must be built.
  for (const name of EXAMPLES) started.set(name, await startExample(name));
});
afterAll(async () => {
  await Promise.all([...started.values()].map((one) => one.example.kill('SIGTERM')));
});

const textOf = async (page: Page, selector: string): Promise<string> =>
  await page.$eval(selector, (element) => element.textContent);
const textsOf = async (page: Page, selector: string): Promise<string[]> =>
  await page.$$eval(selector, (elements) => elements.map((element) => element.textContent));
const hasStatus = async (page: Page, status: string): Promise<void> => {
  await expect.poll(() => textOf(page, '#status')).toBe(status);
};

describe.each<BrowserName>(['chrome', 'firefox'])('in %s', (browserName) => {
  let browser: Browser;
  let context: BrowserContext;
  beforeAll(async () => {
    browser = await launchBrowser(browserName);
    context = await browser.createBrowserContext();
  });
  afterAll(() => browser?.close());

  const open = async (url: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(url);
    await hasStatus(page, 'Live');
    return page;
  };

  test('the dashboard stays open while nothing is published, and goes on after a restart of the broker', async () => {
    const { page: address, broker, restartBroker } = example('dashboard');
    expect(new URL(address).origin).not.toBe(broker);
    const page = await open(address);
    const figures = async (): Promise<number> =>
      await page.$$eval('polyline', (lines) =>
        lines.reduce((sum, line) => sum + line.points.numberOfItems, 0),
      );
    await expect.poll(figures).toBeGreaterThan(1);

    await page.click('#pause');
    await expect.poll(() => textOf(page, '#heartbeats')).toBe('1');
    expect(await textOf(page, '#streams')).toBe('1');

    await restartBroker();
    await expect.poll(() => textOf(page, '#notes')).toContain('Figures may be missing');
    await hasStatus(page, 'Live');
    const before = await figures();
    await page.click('#pause');
    await expect.poll(figures).toBeGreaterThan(before);
    // The line has a gap.
    expect(await page.$$('polyline')).toHaveLength(2);
    await checkLook(page, browserName, 'example-dashboard');
    await page.close();
  });

  test('the board of devices has its state at once, also without a device that was unplugged', async () => {
    const { page: address } = example('iot-board');
    const devicesOf = async (page: Page): Promise<string[]> =>
      (await textsOf(page, '#devices h2')).toSorted();
    const others = ['bathroom', 'garage', 'greenhouse', 'kitchen'];
    const first = await open(address);
    await expect.poll(() => devicesOf(first)).toEqual(['bathroom', 'cellar', ...others.slice(1)]);
    await checkLook(first, browserName, 'example-iot-board');

    const second = await open(address);
    await expect.poll(() => devicesOf(second)).toContain('cellar');
    await second.click('[data-device=cellar] button');
    for (const page of [first, second]) await expect.poll(() => devicesOf(page)).toEqual(others);
    const late = await open(address);
    await expect.poll(() => devicesOf(late)).toEqual(others);

    await late.click('#plug');
    for (const page of [first, second, late]) await expect.poll(() => devicesOf(page)).toContain('cellar');
    for (const page of [first, second, late]) await page.close();
  });

  test('six tabs of a user share one stream, and go on when the tab that has it is closed', async () => {
    const { page: origin, subscribers } = example('notifications');
    const [user, other] = browserName === 'chrome' ? ['ada', 'ben'] : ['ben', 'ada'];
    const address = `${origin}/?user=${user}`;
    const send = async (to: string): Promise<void> => {
      const body = JSON.stringify({ user, to });
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${origin}/notices`, { method: 'POST', headers, body });
      expect(response.status).toBe(200);
    };
    const noticesOf = async (page: Page, to: string): Promise<string[]> =>
      (await textsOf(page, `[data-to=${to}] li`)).map((text) => text.replace(` by ${user}`, ''));
    const tabs: Page[] = [];
    while (tabs.length < 6) tabs.push(await open(address));
    await expect.poll(() => subscribers(`user.${user}`)).toBe(1);
    const stranger = await open(`${origin}/?user=${other}`);

    for (const to of ['user', 'user', 'organization', 'room']) await send(to);
    for (const tab of tabs) await expect.poll(() => textsOf(tab, '.badge')).toEqual(['2', '1', '1']);
    expect(await tabs[3]?.title()).toBe('(4) Notifications');
    await expect.poll(() => textsOf(stranger, '.badge')).toEqual(['0', '1', '1']);

    const [leader, ...rest] = tabs as [Page, ...Page[]];
    await Promise.all([leader.close(), ...Array.from({ length: 10 }, () => send('user'))]);
    await send('user');
    for (const tab of rest) await expect.poll(() => textsOf(tab, '.badge')).toEqual(['13', '1', '1']);
    const notices = await noticesOf(rest[0] as Page, 'user');
    expect(new Set(notices).size).toBe(13);
    for (const tab of rest) expect(await noticesOf(tab, 'user')).toEqual(notices);
    await expect.poll(() => subscribers(`user.${user}`)).toBe(1);
    await expect.poll(() => textOf(rest[0] as Page, '#streams')).toBe('1');
    await checkLook(rest[0] as Page, browserName, 'example-notifications');
    for (const page of [...rest, stranger]) await page.close();
  });
});
