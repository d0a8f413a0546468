import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClientStage, Tab, eventually } from '../support/client-pages.ts';
import type { Scene } from '../support/client-pages.ts';
import type { BrowserName } from '../support/launch-browser.ts';

const SHARED = { options: { share: 'tests' } };

async function openMany(scene: Scene, count: number): Promise<[Tab, ...Tab[]]> {
  const tabs: [Tab, ...Tab[]] = [await scene.open(SHARED)];
  while (tabs.length < count) tabs.push(await scene.open(SHARED));
  return tabs;
}

async function everyoneHasAll({ numbers }: Scene, tabs: readonly Tab[]): Promise<void> {
  await numbers.publish(2);
  await Promise.all(tabs.map((tab) => tab.has(numbers.channel, numbers.published)));
}

async function setLifecycle(tab: Tab, state: 'active' | 'frozen'): Promise<void> {
  const session = await tab.page.createCDPSession();
  await session.send('Page.setWebLifecycleState', { state });
  await session.detach();
}

describe.concurrent.each<BrowserName>(['chrome', 'firefox'])('tabs of %s that share', (name) => {
  let stage: ClientStage;
  beforeAll(async () => {
    stage = await ClientStage.start(name);
  });
  afterAll(async () => {
    await stage.close();
  });

  test('six tabs have one connection, and the next tab goes on when a tab is closed', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    const tabs = await openMany(scene, 6);
    await scene.hasConnections(1);
    // The first tab opened the connection, and each next tab waits behind the tabs before.
    for (const leader of tabs.splice(0, 2)) await numbers.publishDuring(leader.close());
    await everyoneHasAll(scene, tabs);
    await scene.hasConnections(1);
  });

  test('each tab gets its own channels and starts, and the connection has those that some tab wants', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    const [mine, common, theirs] = [`mine-${numbers.channel}`, numbers.channel, `theirs-${numbers.channel}`];
    await numbers.publish(5);
    const one = await scene.open({ ...SHARED, channels: [mine, common] });
    const other = await stage.open(scene.context, { ...SHARED, channels: [theirs] });
    await other.follow([common], { last: 3 });
    await other.ready(theirs, common);
    await numbers.publish(2);
    await one.has(common, ['6', '7']);
    await other.has(common, ['3', '4', '5', '6', '7']);
    for (const channel of [mine, theirs]) await stage.broker.publish(channel, channel);
    await one.has(mine, [mine]);
    await other.has(theirs, [theirs]);
    expect((await one.heard()).data).not.toHaveProperty(theirs);
    await other.close();
    await eventually(async () => expect(await stage.subscribers(theirs)).toBe(0));
    await eventually(async () => expect(await stage.subscribers(common)).toBe(1));
  });

  test.each(['locks', 'channels'] as const)(
    'a tab that is refused %s has its own connection',
    async (refuse) => {
      await using scene = await stage.begin();
      const tabs = [await scene.open(SHARED), await scene.open({ ...SHARED, refuse })];
      await scene.hasConnections(2);
      await everyoneHasAll(scene, tabs);
    },
  );

  test('groups have a connection each', async () => {
    await using scene = await stage.begin();
    const tabs = [await scene.open(SHARED), await scene.open({ options: { share: 'others' } })];
    await scene.hasConnections(2);
    await everyoneHasAll(scene, tabs);
  });

  test.runIf(name === 'chrome')(
    'a tab in the back/forward cache holds nobody up, and gets what it missed when it returns',
    async () => {
      await using scene = await stage.begin();
      const { numbers } = scene;
      const tabs = await openMany(scene, 3);
      const [{ page }, , last] = tabs;
      await numbers.publishDuring(page.goto(`${stage.origin}/elsewhere`));
      await last?.has(numbers.channel, numbers.published);
      await numbers.publishDuring(page.goBack());
      expect((await tabs[0].heard()).restored).toBe(1);
      await everyoneHasAll(scene, tabs);
      await scene.hasConnections(1);
    },
  );

  test.runIf(name === 'chrome')('the next tab goes on when the tab with the connection crashes', async () => {
    await using scene = await stage.begin();
    const { numbers } = scene;
    const [leader, ...tabs] = await openMany(scene, 3);
    const session = await leader.page.createCDPSession();
    const crashed = new Promise((resolve) => leader.page.once('error', resolve));
    session.send('Page.crash').catch(() => undefined);
    await numbers.publishDuring(crashed);
    await everyoneHasAll(scene, tabs);
    await scene.hasConnections(1);
  });

  test.runIf(name === 'chrome')(
    'the next tab goes on when the tab with the connection is frozen, which misses nothing',
    async () => {
      await using scene = await stage.begin();
      const { numbers } = scene;
      const [leader, ...tabs] = await openMany(scene, 3);
      await numbers.publishDuring(setLifecycle(leader, 'frozen'));
      await everyoneHasAll(scene, tabs);
      await numbers.publishDuring(setLifecycle(leader, 'active'));
      await everyoneHasAll(scene, [leader, ...tabs]);
      await scene.hasConnections(1);
    },
  );

  test.runIf(name === 'chrome')('a tab without the connection is frozen and misses nothing', async () => {
    await using scene = await stage.begin();
    const tabs = await openMany(scene, 2);
    const [first, last = first] = tabs;
    await setLifecycle(last, 'frozen');
    await everyoneHasAll(scene, [first]);
    await setLifecycle(last, 'active');
    await everyoneHasAll(scene, tabs);
  });

  test.runIf(name === 'chrome')(
    '40 frames in 4 tabs have one connection, also after half of them were closed',
    async () => {
      await using scene = await stage.begin();
      const { numbers } = scene;
      const wish = { url: stage.broker.url, channels: [numbers.channel], options: { share: 'tests' } };
      const frames = '<iframe src="/"></iframe>'.repeat(10);
      const openFrames = async (): Promise<Tab[]> => {
        const page = await scene.context.newPage();
        await page.goto(`${stage.origin}/elsewhere`);
        await page.evaluate(`document.body.innerHTML = ${JSON.stringify(frames)}`);
        await eventually(async () => {
          const begun = page.frames().map((frame) => frame.evaluate('"heard" in globalThis'));
          expect((await Promise.all(begun)).filter(Boolean).length).toBe(11);
        });
        const tabs = page
          .frames()
          .slice(1)
          .map((frame) => new Tab(page, wish, frame));
        await Promise.all(tabs.map((tab) => tab.follow(wish.channels)));
        return tabs;
      };
      const groups = await Promise.all([1, 2, 3, 4].map(openFrames));
      await Promise.all(groups.flat().map((tab) => tab.ready(numbers.channel)));
      await scene.hasConnections(1);
      await everyoneHasAll(scene, groups.flat());
      for (const [first] of groups.splice(0, 2))
        await numbers.publishDuring(first?.close() ?? Promise.resolve());
      await everyoneHasAll(scene, groups.flat());
      await scene.hasConnections(1);
    },
  );
});
