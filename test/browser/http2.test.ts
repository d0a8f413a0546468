import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { createAuthority } from '../support/certificates.ts';
import { launchChromium } from '../support/chromium.ts';
import { freePort } from '../support/free-port.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';
import { trustAuthority } from '../support/trust-authority.ts';

/** More than six, which is a browser's limit of HTTP/1.1 connections to a host. */
const STREAMS = 8;

/** What the page has recorded of each of its EventSources. */
type Listening = typeof globalThis & { noted: { type: string; data: string; id: string }[][] };

const authority = createAuthority();
const identity = authority.issue();
let env: Record<string, string>;
let browser: Browser;
let broker: Broker;
let relay: TcpRelay;
let page: Page;

beforeAll(async () => {
  trustAuthority(authority);
  browser = await launchChromium();
});
afterAll(() => browser?.close());

beforeEach(async () => {
  env = {
    PORT: String(await freePort()),
    SLUICE_TLS_CERT: identity.cert,
    SLUICE_TLS_KEY: identity.key,
    SLUICE_RETRY: '500ms',
  };
  broker = await startBroker(env);
  relay = await startTcpRelay(broker.port);
  // A page of the broker's origin, so that only streams are requested later. Its policy allows no streams, so it is
  // bypassed.
  page = await browser.newPage({ ignoreHTTPSErrors: true, bypassCSP: true });
  await page.goto(`${relay.url.replace('http:', 'https:')}/livez`);
});
afterEach(async () => {
  await page.close();
  await relay.close();
  await broker.kill();
});

async function listen(): Promise<void> {
  await page.evaluate((streams) => {
    const here = globalThis as Listening;
    here.noted = Array.from({ length: streams }, (_, index) => {
      const noted: { type: string; data: string; id: string }[] = [];
      const source = new EventSource(`/events/page.${index}`);
      for (const type of ['message', 'sluice:ready', 'sluice:gap']) {
        source.addEventListener(type, (event: MessageEvent<string>) =>
          noted.push({ type, data: event.data, id: event.lastEventId }),
        );
      }
      return noted;
    });
  }, STREAMS);
}

/** Waits until each EventSource has received this many events of the type. */
async function each(type: string, times: number): Promise<void> {
  await page.waitForFunction(
    ([wanted, least]) =>
      (globalThis as Listening).noted.every(
        (noted) => noted.filter((event) => event.type === wanted).length >= least,
      ),
    [type, times] as const,
  );
}

/** Every event except ready: a browser also reconnects when a network of the machine changes. */
async function allNoted(): Promise<Listening['noted']> {
  const all = await page.evaluate(() => (globalThis as Listening).noted);
  return all.map((events) => events.filter(({ type }) => type !== 'sluice:ready'));
}

async function publishToEach(data: string): Promise<string[]> {
  return await Promise.all(
    Array.from({ length: STREAMS }, (_, index) => broker.publish(`page.${index}`, data)),
  );
}

test('eight EventSources of a page receive over one HTTP/2 connection', async () => {
  const connections = relay.accepted;
  await listen();
  await each('sluice:ready', 1);
  expect(relay.accepted).toBe(connections);
  const first = await publishToEach('first');
  const second = await publishToEach('second');
  await each('message', 2);
  for (const [index, events] of (await allNoted()).entries()) {
    expect(events).toEqual([
      { type: 'message', data: 'first', id: first[index] },
      { type: 'message', data: 'second', id: second[index] },
    ]);
  }
});

test('all streams are resumed when their connection breaks, each event once and in order', async () => {
  await listen();
  await each('sluice:ready', 1);
  const before = await publishToEach('before');
  await each('message', 1);
  relay.breakDown();
  const missed = await publishToEach('missed');
  relay.mend();
  await each('sluice:ready', 2);
  const after = await publishToEach('after');
  await each('message', 3);
  for (const [index, events] of (await allNoted()).entries()) {
    expect(events).toEqual([
      { type: 'message', data: 'before', id: before[index] },
      { type: 'message', data: 'missed', id: missed[index] },
      { type: 'message', data: 'after', id: after[index] },
    ]);
  }
});

test('all streams reconnect to a restarted broker', async () => {
  await listen();
  await each('sluice:ready', 1);
  await publishToEach('of the first');
  await each('message', 1);
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
  broker = await startBroker(env);
  await each('sluice:ready', 2);
  await publishToEach('of the second');
  await each('message', 2);
  for (const events of await allNoted()) {
    // The embedded log ends with the process, and each stream gets a gap.
    expect(events.map(({ type }) => type)).toEqual(['message', 'sluice:gap', 'message']);
    expect(events.at(-1)?.data).toBe('of the second');
  }
});

test('six tabs have a stream of three channels each, and a request goes through', async () => {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, bypassCSP: true });
  const origin = relay.url.replace('http:', 'https:');
  for (let i = 0; i < 6; i++) {
    const tab = await context.newPage();
    await tab.goto(`${origin}/livez`);
    const status = await tab.evaluate(async () => {
      const source = new EventSource('/events?channel=a&channel=b&channel=c');
      await new Promise((resolve) => source.addEventListener('sluice:ready', resolve));
      return (await fetch('/livez')).status;
    });
    expect(status).toBe(200);
  }
  await context.close();
});
