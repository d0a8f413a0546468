import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../support/client-pages.ts';
import { documentShell } from '../support/document-shell.ts';
import { launchBrowser } from '../support/launch-browser.ts';
import type { BrowserName } from '../support/launch-browser.ts';
import { checkLook } from '../support/screenshots.ts';
import { startExample } from '../support/start-example.ts';
import type { StartedExample } from '../support/start-example.ts';

const BROWSERS = ['chrome', 'firefox'] as const;
/** Opens a page in a browser, and waits until it is live. The pages of a test share a window in each browser. */
type Open = (name: BrowserName, address: string) => Promise<Page>;

let browsers: Record<BrowserName, Browser>;
let dashboard: StartedExample;
let board: StartedExample;
let notifications: StartedExample;
beforeAll(async () => {
  // It builds the client in a fresh clone, and the others find it.
  dashboard = await startExample(
    documentShell('examples/dashboard/README.md', import.meta.filename)('npm run example dashboard'),
  );
  let chrome, firefox;
  [chrome, firefox, board, notifications] = await Promise.all([
    launchBrowser('chrome'),
    launchBrowser('firefox'),
    startExample(
      documentShell('examples/iot-board/README.md', import.meta.filename)('npm run example iot-board'),
    ),
    startExample(
      documentShell(
        'examples/notifications/README.md',
        import.meta.filename,
      )('npm run example notifications'),
    ),
  ]);
  browsers = { chrome, firefox };
});
afterAll(async () => {
  await Promise.all([
    ...Object.values(browsers).map((browser) => browser.close()),
    ...[dashboard, board, notifications].map(({ example }) => example.kill('SIGTERM')),
  ]);
});

const becomes = async (read: () => Promise<unknown>, expected: unknown): Promise<void> =>
  await eventually(async () => expect(await read()).toEqual(expected));
const textsOf = async (page: Page, selector: string): Promise<string[]> =>
  await page.$$eval(selector, (elements) => elements.map((element) => element.textContent));
const textOf = async (page: Page, selector: string): Promise<string> =>
  (await textsOf(page, selector)).join('\n');
const hasText = async (page: Page, selector: string, text: string): Promise<void> =>
  await eventually(async () => expect(await textOf(page, selector)).toContain(text));

/** Clicks, and does not wait until the tab is in front, as `page.click` does: in Firefox all tabs share one window. */
const press = async (page: Page, selector: string): Promise<void> =>
  await page.$eval(selector, (element) => (element as HTMLElement).click());

const figuresOf = async (page: Page): Promise<number> =>
  await page.$$eval('polyline', (lines) =>
    lines.reduce((sum, line) => sum + line.points.numberOfItems - 1, 0),
  );
const devicesOf = async (page: Page): Promise<string[]> => (await textsOf(page, '#devices h2')).toSorted();

async function openWindows(): Promise<Open> {
  const windows = {
    chrome: await browsers.chrome.createBrowserContext(),
    firefox: await browsers.firefox.createBrowserContext(),
  };
  return async (name, address) => {
    const page = await windows[name].newPage();
    await page.goto(address);
    await hasText(page, '#status', 'Live');
    return page;
  };
}

test('the dashboard is live without a figure, and goes on after a restart of the broker', async () => {
  const { page: address, broker, key, restartBroker } = dashboard;
  const figures = Array.from({ length: 60 }, (_, at) => ({
    channel: 'figures',
    data: { visitors: 500 + Math.round(80 * Math.sin(at / 8)) },
  }));
  await fetch(`${broker}/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(figures),
  });
  expect(new URL(address).origin).not.toBe(broker);
  const open = await openWindows();
  const pages = await Promise.all(BROWSERS.map((name) => open(name, address)));
  const [first] = pages as [Page, Page];
  for (const page of pages) await eventually(async () => expect(await figuresOf(page)).toBe(60));

  await press(first, '#pause');
  for (const page of pages) {
    await eventually(async () => expect(await textOf(page, '#heartbeats')).not.toBe('0'));
    expect(await textOf(page, '#streams')).toBe('1');
  }

  await restartBroker();
  for (const page of pages) {
    await hasText(page, '#notes', 'Figures may be missing');
    await hasText(page, '#status', 'Live');
  }
  await press(first, '#pause');
  for (const [index, page] of pages.entries()) {
    // The line has a gap.
    await eventually(async () => expect(await page.$$('polyline')).toHaveLength(2));
    await checkLook(page, BROWSERS[index] ?? 'chrome', 'example-dashboard');
  }
});

test('the board shows the state to who joins late, and no device that is gone', async () => {
  const open = await openWindows();
  const others = ['bathroom', 'garage', 'greenhouse', 'kitchen'];
  const all = ['bathroom', 'cellar', 'garage', 'greenhouse', 'kitchen'];
  const pages: Page[] = [];
  for (const name of BROWSERS) {
    const page = await open(name, board.page);
    pages.push(page);
    // The cellar reports once a minute.
    await becomes(() => devicesOf(page), all);
    await checkLook(page, name, 'example-iot-board');
  }
  for (const name of BROWSERS) {
    const [last] = pages.slice(-1) as [Page];
    await press(last, '[data-device=cellar] button');
    for (const page of pages) await becomes(() => devicesOf(page), others);
    const late = await open(name, board.page);
    pages.push(late);
    await becomes(() => devicesOf(late), others);
    await press(late, '#plug');
    for (const page of pages) await becomes(() => devicesOf(page), all);
  }
});

test.each([
  ['chrome', 'ada'],
  ['firefox', 'ben'],
] as const)(
  'six tabs of %s share a stream, and go on when the tab that has it is closed',
  async (name, user) => {
    const open = await openWindows();
    const { page: origin, subscribers } = notifications;
    const address = `${origin}/?user=${user}`;
    const send = async (count: number): Promise<void> => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ user, to: 'user' });
      for (let i = 0; i < count; i++) {
        const response = await fetch(`${origin}/notices`, { method: 'POST', headers, body });
        expect(response.status).toBe(200);
      }
    };
    // The first tab opens the stream.
    const leader = await open(name, address);
    const rest = await Promise.all(Array.from({ length: 5 }, () => open(name, address)));
    const [last] = rest.slice(-1) as [Page];
    await becomes(() => subscribers(`user.${user}`), 1);

    await send(2);
    for (const tab of [leader, ...rest]) await becomes(() => textOf(tab, '[data-to=user] .badge'), '2');
    await Promise.all([leader.close(), send(10)]);
    await send(1);
    for (const tab of rest) await becomes(() => textOf(tab, '[data-to=user] .badge'), '13');
    const notices = await textsOf(last, '[data-to=user] li');
    expect(new Set(notices).size).toBe(13);
    for (const tab of rest) expect(await textsOf(tab, '[data-to=user] li')).toEqual(notices);
    for (const to of ['organization', 'room']) {
      await press(last, `[data-to=${to}] button`);
      for (const tab of rest) await hasText(tab, `[data-to=${to}] li`, `by ${user}`);
    }
    await becomes(() => subscribers(`user.${user}`), 1);
    await last.bringToFront();
    await hasText(last, '#streams', '1');
    await checkLook(last, name, 'example-notifications');
  },
);
