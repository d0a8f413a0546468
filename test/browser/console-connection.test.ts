import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { eventually } from '../support/client-pages.ts';
import { freePort } from '../support/free-port.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { checkLook } from '../support/screenshots.ts';
import { inSeconds, signToken } from '../support/sign-token.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';
import { ConsolePage } from './console-page.ts';

const SECRET = 'a secret of more than thirty-two bytes';
let redis: RedisServer;
let env: Record<string, string>;
let broker: Broker;
let relay: TcpRelay;

beforeAll(async () => {
  redis = await startRedis({ appendonly: true });
  env = {
    PORT: String(await freePort()),
    REDIS_URL: redis.url,
    SLUICE_RETRY: '500ms',
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_JWT_CLOCK_TOLERANCE: '0s',
    SLUICE_PUBLIC_CHANNELS: 'open.*',
  };
  broker = await startBroker(env);
  relay = await startTcpRelay(broker.port);
});
afterAll(async () => {
  await relay?.close();
  await broker?.kill();
  await redis?.stop();
});

const tokenFor = (seconds: number, ...subscribe: string[]): string =>
  signToken({ sluice: { subscribe }, iat: inSeconds(0), exp: inSeconds(seconds) }, SECRET);

/** Every place where a bystander, the history or a proxy's log could reveal the token. */
async function placesOf(token: string, tab: ConsolePage): Promise<string[]> {
  const places = await tab.page.evaluate(() => ({
    title: document.title,
    address: location.href,
    shown: document.documentElement.outerHTML,
    stored: JSON.stringify([
      Object.entries(localStorage),
      Object.entries(sessionStorage),
      document.cookie,
      history.state,
    ]),
  }));
  return Object.entries({ ...places, asked: tab.asked.slice(1).join(' ') })
    .filter(([, text]) => text.includes(token) || text.includes('token='))
    .map(([place]) => place);
}

describe.each(PAGE_BROWSERS)('the console and a broker in %s', (name) => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser(name);
  });
  afterAll(async () => {
    await browser.close();
  });

  const open = (fragment?: string): Promise<ConsolePage> =>
    ConsolePage.open(browser, relay.url, fragment, ['404 /readyz']);

  test('is resumed with each event once and in order, when it is cut and when the broker is killed', async () => {
    const channel = `open.cut-${name}`;
    await using tab = await open(`#${channel}`);
    await tab.caughtUp();
    const expected: string[] = [];
    const publish = async (data: string): Promise<void> => {
      await broker.publish(channel, data);
      expected.unshift(`message ${data}`);
    };
    for (const data of ['1', '2']) {
      await publish(data);
      await tab.shows('#events', data);
      relay.breakDown();
      await tab.shows('#state', 'Reconnecting');
      await publish(`${data}, meanwhile`);
      relay.mend();
      await tab.shows('#state', 'Connected');
    }
    await tab.shows('#events', 'The connection was lost.');
    await broker.kill();
    await tab.shows('#state', 'Reconnecting');
    broker = await startBroker(env);
    await publish('after the kill');
    await tab.shows('#events', 'after the kill');
    await eventually(async () => expect(await tab.events()).toEqual(expected));
    expect(await tab.rows('.gap')).toEqual([]);
    await tab.click('#connect-button');
    await tab.shows('#state', 'Not connected');
    await eventually(async () => {
      const headers = { authorization: `Bearer ${broker.key}` };
      const response = await fetch(`${broker.url}/channels/${channel}`, { headers });
      expect(await response.json()).toMatchObject({ subscribers: 0 });
    });
    relay.breakDown();
    await tab.click('#connect-button');
    await tab.shows('#events', 'The broker does not answer.');
    relay.mend();
    await tab.shows('#state', 'Connected');
  });

  test('says that the log is down, and that it is up again', async () => {
    const channel = `open.log-${name}`;
    await using tab = await open(`#${channel}`);
    tab.provoked = ['404 /readyz', '503 /publish'];
    await tab.caughtUp();
    await broker.publish(channel, { reading: 21.5, sensor: 'roof' }, 'measured');
    await tab.shows('#events', 'measured');
    await redis.kill();
    await tab.fill('#key', broker.key);
    await tab.click('#publish-button');
    await tab.shows('#published', '503 Service Unavailable');
    await tab.shows('#state', 'Log down');
    await tab.shows('#events .refused', "The broker's log is down: ");
    await checkLook(tab.page, name, 'console-log-down');
    await redis.restart();
    await tab.shows('#state', 'Connected');
    await tab.shows('#events', "The broker's log is up again.");
    await tab.click('#publish-button');
    await tab.shows('#events', 'hello');
    expect((await tab.events()).toReversed()).toEqual([
      'measured {"reading":21.5,"sensor":"roof"}',
      'message hello',
    ]);
  });

  test('clears an address that is no link, and moves the focus on from a removed channel', async () => {
    await using tab = await open('#open.first,open.second,..');
    tab.provoked = ['404 /readyz'];
    for (const secret of ['#access_token=secret', '#?jwt=secret&last=3']) {
      await tab.page.evaluate((hash) => location.assign(hash), secret);
      await eventually(() => expect(tab.page.url()).toBe(`${relay.url}/#`));
    }
    expect(await placesOf('secret', tab)).toEqual([]);
    const refusal = await tab.page.waitForSelector('#chips .reason');
    await tab.page.focus('#chips .remove');
    const focused = (): Promise<string | null> =>
      tab.page.evaluate(() => document.activeElement?.ariaLabel || (document.activeElement?.id ?? null));
    for (const next of ['Remove open.second', 'Remove ..', 'channel']) {
      // A screen reader would read the alert again if it were another element.
      expect(await refusal?.evaluate((alert) => alert.isConnected)).toBe(true);
      await tab.page.keyboard.press('Enter');
      await eventually(async () => expect(await focused()).toBe(next));
    }
  });

  test('is opened by the token of a link, which appears nowhere', async () => {
    const token = tokenFor(3_600, 'closed');
    await using tab = await open('#open.first');
    tab.provoked = ['404 /readyz', '401 /events', '403 /events'];
    await tab.caughtUp();
    await tab.page.evaluate((hash) => location.assign(hash), `#closed?token=${token}&last=2`);
    await tab.shows('#chips', 'closedlive');
    expect(tab.page.url()).toBe(`${relay.url}/#closed?last=2`);
    relay.cut();
    await tab.caughtUp(2);
    expect(await placesOf(token, tab)).toEqual([]);
    // The token does not grant this one, and the other goes on.
    await tab.fill('#channel', 'closed, other');
    await tab.click('#connect-button');
    await tab.shows('#chips .reason', '403: The token does not allow subscribing to other');
    expect(await tab.text('#state')).toBe('Connected');
    await tab.page.reload();
    await tab.shows('#state', 'Refused');
    await tab.shows('#refused', 'reloading the page removed it');
    await tab.fill('#token', token);
    expect(await tab.text('#connect-button')).toBe('Connect');
    await tab.click('#connect-button');
    await tab.shows('#state', 'Connected');
    expect(await placesOf(token, tab)).toEqual([]);
    await tab.fill('#token', 'größe');
    await tab.click('#connect-button');
    await tab.shows('#refused', 'Not a token');
  });

  test('that a token no longer opens keeps its rows, says why, and goes on with another token', async () => {
    const channel = `closed.${name}`;
    await using tab = await open(`#${channel}`);
    tab.provoked = ['404 /readyz', '401 /events'];
    await tab.shows('#state', 'Refused');
    // The page is there by now: opening one may take a busy machine longer than this token lasts.
    await tab.fill('#token', tokenFor(5, 'closed.*'));
    await tab.click('#connect-button');
    await tab.caughtUp();
    await broker.publish(channel, 'before');
    await tab.shows('#events', 'before');
    await tab.shows('#events', 'the token has expired (expired).');
    await tab.shows('#state', 'Refused');
    await tab.shows('#chips .reason', '401: ');
    await tab.shows('#events .refused', 'Refused with 401: ');
    expect(await tab.events()).toEqual(['message before']);
    await broker.publish(channel, 'meanwhile');
    await tab.fill('#token', tokenFor(3_600, 'closed.*'));
    await tab.click('#connect-button');
    await tab.shows('#events', 'meanwhile');
    expect(await tab.events()).toEqual(['message meanwhile', 'message before']);
    expect(await tab.rows('.gap')).toEqual([]);
  });

  test('publishes with a key, a condition, and an idempotency key', async () => {
    const channel = `open.publish-${name}`;
    await using tab = await open(`#${channel}`);
    tab.provoked = ['404 /readyz', '401 /publish', '400 /publish', '412 /publish', '409 /publish'];
    await tab.caughtUp();
    const publish = async (outcome: string): Promise<void> => {
      await tab.click('#publish-button');
      await tab.shows('#published:not([aria-busy])', outcome);
    };
    await tab.fill('#key', 'wrong');
    await publish('are neither one of SLUICE_PUBLISH_KEYS nor a token');
    await tab.fill('#key', broker.key);
    await tab.fill('#type', 'sluice:gap');
    await publish('must not begin with "sluice:"');
    await tab.fill('#type', 'created');
    await tab.fill('#data', 'first\nline');
    await tab.page.focus('#data');
    await tab.page.keyboard.down('Control');
    await tab.page.keyboard.press('Enter');
    await tab.page.keyboard.up('Control');
    await tab.shows('#events', 'first line');
    await tab.shows('#published', `Published to ${channel} as ${await tab.text('.event-row.event .id')}`);

    await tab.click('#newest-id');
    await tab.click('#new-key');
    await tab.fill('#data', 'second');
    await publish('Published to');
    await publish('The idempotency key was used before. Nothing was published again');
    await tab.fill('#idempotency-key', '');
    await publish('412 Precondition Failed');
    expect(await tab.page.$eval('#data', (field) => (field as HTMLTextAreaElement).value)).toBe('second');
    await tab.click('#published .problem button');
    await tab.fill('#state-key', 'k');
    await publish('Published to');
    await tab.shows('#count', '3 received');
    await tab.fill('#if-last', '');
    await tab.click('#delete-key');
    expect(await tab.text('#publish-button')).toBe('Delete the key');
    await publish(`Deleted the key k of ${channel} as `);
    await tab.shows('#events', 'The key k was deleted.');
    await tab.click('#delete-key');
    await tab.fill('#state-key', '');
    await tab.fill('#type', '');
    await tab.fill('#data', '');
    await tab.click('#close-channel');
    await publish(`Ended ${channel} as `);
    await tab.shows('#state', 'Ended');
    await tab.shows('#events', 'The channel has ended.');
    await publish('409 Conflict');
    expect(await tab.text('#connect-button')).toBe('Connect');

    const kept = await tab.page.evaluate(() => [
      localStorage.length + sessionStorage.length,
      document.cookie + location.href + JSON.stringify(history.state) + document.documentElement.outerHTML,
    ]);
    expect(kept[0]).toBe(0);
    expect(kept[1]).not.toContain(broker.key);
    await tab.page.reload();
    expect(await tab.page.$eval('#key', (field) => (field as HTMLInputElement).value)).toBe('');
  });

  test('makes a command that publishes the same, and shows no key in it', async () => {
    const channel = `open.curl-${name}`;
    await using tab = await open(`#${channel}`);
    await tab.caughtUp();
    const data = `it's "$(id)" \\ \`id\`\n@größe \u202e🌊`;
    const type = `'; echo $SLUICE_KEY '`;
    await tab.fill('#key', broker.key);
    await tab.fill('#type', type);
    await tab.fill('#data', data);
    await tab.fill('#state-key', 'k');
    await tab.click('#new-key');
    await tab.click('#copy-curl');
    const [command = ''] = await tab.copied();
    expect(command).not.toContain(broker.key);
    expect(command).not.toMatch(/\p{Cf}/u);
    for (let times = 0; times < 2; times++)
      await promisify(execFile)('/bin/sh', ['-euc', command], {
        env: { PATH: process.env['PATH'], SLUICE_KEY: broker.key },
      });
    await tab.shows('#count', '1 received');
    await tab.click('.event-row.event');
    expect(await tab.text('#details-data')).toBe(data);
    expect(await tab.text('#details-title')).toBe(type);
  });
});
