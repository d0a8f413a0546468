import type { BrowserContext } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ClientStage, Numbers, Tab } from '../support/client-pages.ts';
import type { BrowserName } from '../support/launch-browser.ts';

let stage: ClientStage;
let context: BrowserContext;
let numbers: Numbers;
let round = 0;

/** Prepares the tests of a browser. */
function useStage(name: BrowserName): void {
  beforeAll(async () => {
    stage = await ClientStage.start(name);
  });
  afterAll(async () => {
    await stage.close();
  });
  beforeEach(async () => {
    context = await stage.browser.createBrowserContext();
    numbers = new Numbers(`numbers-${++round}`, stage.broker);
  });
  afterEach(async () => {
    await context.close();
    await expect.poll(() => stage.connections()).toBe(0);
  });
}

async function open(channels: readonly string[] = [numbers.channel], share = 'tests'): Promise<Tab> {
  const tab = await stage.open(context, { channels, options: { share } });
  await tab.ready(...channels);
  return tab;
}

async function openMany(count: number): Promise<[Tab, ...Tab[]]> {
  const tabs: [Tab, ...Tab[]] = [await open()];
  while (tabs.length < count) tabs.push(await open());
  return tabs;
}

async function everyoneHasAll(tabs: readonly Tab[]): Promise<void> {
  await numbers.publish(2);
  await Promise.all(tabs.map((tab) => tab.has(numbers.channel, numbers.published)));
}

async function setLifecycle(tab: Tab, state: 'active' | 'frozen'): Promise<void> {
  const session = await tab.page.createCDPSession();
  await session.send('Page.setWebLifecycleState', { state });
  await session.detach();
}

describe.each<BrowserName>(['chrome', 'firefox'])('tabs of %s that share', (name) => {
  useStage(name);

  test('six tabs have one connection, and the next tab goes on when a tab is closed', async () => {
    const tabs = await openMany(6);
    expect(await stage.connections()).toBe(1);
    // The first tab opened the connection, and each next tab waits behind the tabs before.
    for (const leader of tabs.splice(0, 2)) await numbers.publishDuring(leader.close());
    await everyoneHasAll(tabs);
    expect(await stage.connections()).toBe(1);
  });

  test('each tab gets its own channels and starts, and the connection has those that some tab wants', async () => {
    const [mine, common, theirs] = [`mine-${round}`, numbers.channel, `theirs-${round}`];
    await numbers.publish(5);
    const one = await open([mine, common]);
    const other = await open([theirs]);
    await other.follow([common], { last: 3 });
    await other.ready(common);
    await numbers.publish(2);
    await one.has(common, ['6', '7']);
    await other.has(common, ['3', '4', '5', '6', '7']);
    for (const channel of [mine, theirs]) await stage.broker.publish(channel, channel);
    await one.has(mine, [mine]);
    await other.has(theirs, [theirs]);
    expect((await one.heard()).data).not.toHaveProperty(theirs);
    await other.close();
    await expect.poll(() => stage.subscribers(theirs)).toBe(0);
    expect(await stage.subscribers(common)).toBe(1);
  });

  test.each(['locks', 'channels'] as const)(
    'a tab that is refused %s has its own connection',
    async (refuse) => {
      const channels = [numbers.channel];
      const tabs = [
        await open(),
        await stage.open(context, { channels, options: { share: 'tests' }, refuse }),
      ];
      await tabs[1]?.ready(numbers.channel);
      expect(await stage.connections()).toBe(2);
      await everyoneHasAll(tabs);
    },
  );

  test('groups have a connection each', async () => {
    const tabs = [await open(), await open([numbers.channel], 'others')];
    expect(await stage.connections()).toBe(2);
    await everyoneHasAll(tabs);
  });
});

describe('tabs of chrome that share', () => {
  useStage('chrome');

  test('a tab in the back/forward cache holds nobody up, and gets what it missed when it returns', async () => {
    const tabs = await openMany(3);
    const [{ page }, , last] = tabs;
    await numbers.publishDuring(page.goto(`${stage.origin}/elsewhere`));
    await last?.has(numbers.channel, numbers.published);
    await numbers.publishDuring(page.goBack());
    expect((await tabs[0].heard()).restored).toBe(1);
    await everyoneHasAll(tabs);
    expect(await stage.connections()).toBe(1);
  });

  test('the next tab goes on when the tab with the connection crashes', async () => {
    const [leader, ...tabs] = await openMany(3);
    const session = await leader.page.createCDPSession();
    const crashed = new Promise((resolve) => leader.page.once('error', resolve));
    session.send('Page.crash').catch(() => undefined);
    await numbers.publishDuring(crashed);
    await everyoneHasAll(tabs);
    expect(await stage.connections()).toBe(1);
  });

  test('the next tab goes on when the tab with the connection is frozen, which misses nothing', async () => {
    const [leader, ...tabs] = await openMany(3);
    await numbers.publishDuring(setLifecycle(leader, 'frozen'));
    await everyoneHasAll(tabs);
    await numbers.publishDuring(setLifecycle(leader, 'active'));
    await everyoneHasAll([leader, ...tabs]);
    expect(await stage.connections()).toBe(1);
  });

  test('a tab without the connection is frozen and misses nothing', async () => {
    const tabs = await openMany(2);
    const [first, last = first] = tabs;
    await setLifecycle(last, 'frozen');
    await everyoneHasAll([first]);
    await setLifecycle(last, 'active');
    await everyoneHasAll(tabs);
  });

  test('40 frames in 4 tabs have one connection, also after half of them were closed', async () => {
    const wish = { url: stage.broker.url, channels: [numbers.channel], options: { share: 'tests' } };
    const frames = '<iframe src="/"></iframe>'.repeat(10);
    const openFrames = async (): Promise<Tab[]> => {
      const page = await context.newPage();
      await page.goto(`${stage.origin}/elsewhere`);
      await page.evaluate(`document.body.innerHTML = ${JSON.stringify(frames)}`);
      await expect
        .poll(
          async () =>
            (await Promise.all(page.frames().map((frame) => frame.evaluate('"heard" in globalThis')))).every(
              Boolean,
            ) && page.frames().length,
        )
        .toBe(11);
      const tabs = page
        .frames()
        .slice(1)
        .map((frame) => new Tab(page, wish, frame));
      await Promise.all(tabs.map((tab) => tab.follow(wish.channels)));
      return tabs;
    };
    const groups = await Promise.all([1, 2, 3, 4].map(openFrames));
    await Promise.all(groups.flat().map((tab) => tab.ready(numbers.channel)));
    expect(await stage.connections()).toBe(1);
    await everyoneHasAll(groups.flat());
    for (const [first] of groups.splice(0, 2))
      await numbers.publishDuring(first?.close() ?? Promise.resolve());
    await everyoneHasAll(groups.flat());
    expect(await stage.connections()).toBe(1);
  });
});
