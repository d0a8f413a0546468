import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import { ClientStage, Numbers, eventually } from '../support/client-pages.ts';
import type { BrowserName } from '../support/launch-browser.ts';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis-server.ts';
import { inSeconds, signToken } from '../support/sign-token.ts';

const SECRET = 'a secret of more than thirty-two bytes';
/** Of the tokens, in s. */
const LIFETIME = 2;

describe.concurrent.each<BrowserName>(['chrome', 'firefox'])('a page in %s', (name) => {
  let stage: ClientStage;

  beforeAll(async () => {
    const env = {
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_JWT_CLOCK_TOLERANCE: '0s',
      SLUICE_PUBLIC_CHANNELS: 'open.*',
    };
    stage = await ClientStage.start(name, env, ({ url }, response) => {
      if (url === '/no-token') response.writeHead(500).end();
      else if (url === '/token' || url === '/stale-token') {
        // Without `iat` the client cannot know the lifetime when the local clock may be wrong: it waits for the end.
        const times =
          url === '/token'
            ? { iat: inSeconds(0), exp: inSeconds(LIFETIME) }
            : { iat: inSeconds(-3_600), exp: inSeconds(LIFETIME) };
        response.end(signToken({ sluice: { subscribe: ['closed.*'] }, ...times }, SECRET));
      } else return false;
      return true;
    });
  });
  afterAll(async () => {
    await stage.close();
  });
  // The broker ends a stream whose token is not renewed in time.
  test.each(['/token', '/stale-token'])('misses nothing when %s expires twice', async (tokens) => {
    await using scene = await stage.begin('closed');
    const { numbers } = scene;
    const tab = await scene.open({ tokens });
    const expiredTwice = async (): Promise<void> =>
      expect((await tab.heard()).tokenReasons.length).toBeGreaterThan(2);
    await numbers.publishDuring(eventually(expiredTwice));
    await numbers.publish(1);
    await tab.has(numbers.channel, numbers.published);
    expect((await tab.heard()).errors).toEqual([]);
  });

  test('that has no token lets another tab have the connection, and a refusal reaches who asked', async () => {
    await using scene = await stage.begin('closed');
    const { context, numbers } = scene;
    const options = { share: 'tests' };
    const without = await stage.open(context, { channels: [numbers.channel], options, tokens: '/no-token' });
    const other = { channels: ['forbidden', numbers.channel], options, tokens: '/token' };
    const having = await stage.open(context, other);
    for (const tab of [without, having]) await tab.ready(numbers.channel);
    await numbers.publish(2);
    for (const tab of [without, having]) await tab.has(numbers.channel, numbers.published);
    expect((await having.heard()).errors).toEqual(['forbidden: forbidden']);
    expect((await without.heard()).errors).toEqual([]);
    await scene.hasConnections(1);
  });

  test('goes on after a reload where it was, if the browser keeps its position', async () => {
    await using scene = await stage.begin('open');
    const { numbers: open } = scene;
    const options = { keep: 'place' };
    const tab = await scene.open({ options });
    const refused = await scene.open({ options, refuse: 'storage' });
    await open.publish(2);
    for (const one of [tab, refused]) await one.has(open.channel, open.published);
    await tab.page.reload();
    await refused.page.reload();
    await open.publish(2);
    for (const one of [tab, refused]) await one.follow([open.channel]);
    for (const one of [tab, refused]) await one.ready(open.channel);
    await open.publish(1);
    await tab.has(open.channel, ['3', '4', '5']);
    await refused.has(open.channel, ['5']);
  });
});

test('pages miss nothing when their replica is killed and another one takes over', async () => {
  const redis = await startRedis();
  const port = await freePort();
  const env = { REDIS_URL: redis.url };
  const [other, stage] = await Promise.all([
    startBroker(env),
    ClientStage.start('chrome', { ...env, PORT: String(port) }),
  ]);
  const context = await stage.browser.createBrowserContext();
  const numbers = new Numbers('numbers', other);
  const wish = { channels: ['numbers'], options: { share: 'tests' } };
  const tabs = [
    await stage.open(context, wish),
    await stage.open(context, wish),
    await stage.open(context, { ...wish, options: {} }),
  ];
  for (const tab of tabs) await tab.ready('numbers');
  await numbers.publish(2);
  await numbers.publishDuring(stage.broker.kill());
  const cors = stage.origin;
  const heir = startBroker({ ...env, PORT: String(port), SLUICE_CORS_ORIGINS: cors });
  await numbers.publishDuring(heir);
  for (const tab of tabs) await tab.has('numbers', numbers.published);
  await stage.close();
  await Promise.all([(await heir).kill(), other.kill()]);
  await redis.stop();
});
