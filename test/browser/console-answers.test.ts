import { execFileSync } from 'node:child_process';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { runInNewContext } from 'node:vm';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/client-pages.ts';
import { startConsoleServer } from '../support/console-server.ts';
import { PAGE_BROWSERS, launchBrowser } from '../support/launch-browser.ts';
import type { PageServer } from '../support/page-server.ts';
import { ConsolePage } from './console-page.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** The answers to the next streams, in order; the last one repeats. */
let answers: Answer[];
/** What `/readyz` says of the log; undefined for an answer that says nothing. */
let log: string | undefined;
let server: PageServer;

beforeAll(async () => {
  server = await startConsoleServer(
    (request, response) => {
      (answers.length > 1 ? answers.shift() : answers[0])?.(response, request);
    },
    () => {
      if (log === undefined) throw new Error('the log is not known');
      return log;
    },
  );
});
afterAll(async () => {
  await server.close();
});
beforeEach(() => {
  answers = [live()];
  log = 'up';
});

const HEAD = { 'content-type': 'text/event-stream; charset=utf-8' };
const READY = 'retry: 10\nid: news@9-0\nevent: sluice:ready\ndata: {"channels":{"news":"9-0"}}\n\n';

/** Sends the text, and leaves the stream open. */
function live(text = READY): Answer {
  return (response) => {
    response.writeHead(200, HEAD);
    response.write(text);
  };
}

/** Sends the text, and ends the stream. */
function whole(text: string): Answer {
  return (response) => response.writeHead(200, HEAD).end(text);
}

const closing = (reason: unknown): string =>
  `id: news@9-0\nevent: sluice:closing\ndata: {"reason":${JSON.stringify(reason)},"retry":5}\n\n`;

const signIn: Answer = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>');

const unavailable: Answer = (response) => {
  response.writeHead(503, { 'content-type': 'application/problem+json' });
  response.end('{"title":"Service Unavailable","status":503,"detail":"no replica is left"}');
};

// The tests run the samples unchanged: in a shell with a stub of curl that records its arguments, and in an engine with a
// stub of EventSource.

/** The arguments of each curl in the sample. Any other command of the sample shows as a line of its own. */
async function ranByShell(tab: ConsolePage): Promise<string[][]> {
  const stub = `curl() { for a in "$@"; do printf '%s\\0' "$a"; done; printf '\\n'; }`;
  const script = `${stub}\n${await tab.text('#shell-code')}`;
  const out = execFileSync('/bin/sh', ['-eu', '-c', script], {
    env: { PATH: '/nowhere', SLUICE_KEY: 'the key', TOKEN: 'the token' },
    encoding: 'utf8',
  });
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\0').slice(0, -1));
}

/** The URLs that the sample without the client opens, and the types it listens to. */
async function ranByPage(tab: ConsolePage): Promise<{ urls: string[]; types: string[] }> {
  const urls: string[] = [];
  const types: string[] = [];
  class EventSource {
    constructor(url: string) {
      urls.push(url);
    }
    addEventListener(type: string): void {
      types.push(type);
    }
  }
  runInNewContext(await tab.text('#page-code'), { EventSource });
  return { urls, types };
}

/** What the sample with the client imports, connects to and subscribes to. */
async function ranWithClient(tab: ConsolePage): Promise<string[]> {
  const calls: string[] = [];
  const connect = (url: string, options?: object): object => {
    calls.push(url, ...Object.keys(options ?? {}));
    return { subscribe: (channel: string) => calls.push(channel) };
  };
  const sample = await tab.text('#client-code');
  const code = sample.replace(/^import \{ connect \} from "([^"]*)";/, (_line, module: string) => {
    calls.push(module);
    return '';
  });
  runInNewContext(code, { connect });
  return calls;
}

describe.each(PAGE_BROWSERS)('the console in %s', (name) => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser(name);
  });
  afterAll(async () => {
    await browser.close();
  });

  const open = (link: string): Promise<ConsolePage> => ConsolePage.open(browser, server.origin, link);

  test('says why the broker ends streams, one after the other', async () => {
    const reasons = {
      draining: 'it is shutting down (draining)',
      age: 'the connection has reached its maximum age (age)',
      expired: 'the token has expired (expired)',
      disconnected: 'a backend has ended the stream (disconnected)',
      limit: 'it has reached its limit of connections (limit)',
      'address-limit': 'this address has reached its limit of connections (address-limit)',
      'subject-limit': "the token's subject has reached its limit of connections (subject-limit)",
      'failed-authentication': 'this address has sent too many wrong credentials (failed-authentication)',
      keys: "it cannot fetch the token's key now (keys)",
      'a reason of tomorrow': 'a reason of tomorrow',
      __proto__x: '__proto__x',
    };
    answers = [
      ...Object.keys(reasons).map((reason) => whole(READY + closing(reason))),
      whole(READY + closing(7)),
      // Some reasons come instead of a stream.
      whole(closing('limit')),
      whole(closing('limit')),
      live(),
    ];
    await using tab = await open('#news');
    const expected = Object.values(reasons).map(
      (words) => `The broker asks the client to come back: ${words}.`,
    );
    expected.push('The broker asks the client to come back.');
    expected.push(`The broker asks the client to come back: ${reasons.limit}.`);
    await eventually(async () => {
      const told = (await tab.rows('.note')).map((row) => row.replace(/ The page .*/, '')).toReversed();
      expect(told).toEqual(expected);
    });
    await tab.shows('#state', 'Connected');
    expect(await tab.text('#count')).toBe('0 received');
  });

  test('says what a proxy answers, and that a stream was cut', async () => {
    answers = [signIn, unavailable, whole(READY), live()];
    await using tab = await open('#news');
    tab.provoked = ['503 /events'];
    await tab.caughtUp(2);
    expect((await tab.rows('.note')).map((row) => row.replace(/ The page .*/, '')).toReversed()).toEqual([
      'The answer is no event stream. A proxy may be in the way.',
      'The broker answered with 503: no replica is left',
      'The connection was lost.',
    ]);
  });

  test('says when the log is partly down, and not that it is up when nobody says so', async () => {
    log = 'partly down: CLUSTERDOWN';
    await using tab = await open('#news');
    await tab.shows('#state', 'Log down');
    await tab.shows('#events .refused', "The broker's log is partly down: CLUSTERDOWN. ");
    expect(await tab.page.$eval('#state', (pill) => (pill as HTMLElement).title)).toBe(
      'partly down: CLUSTERDOWN',
    );
    tab.provoked = ['500 /readyz'];
    log = undefined;
    await tab.page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await tab.shows('#state', 'Connected');
    expect(await tab.text('#events')).not.toContain('is up again');
  });

  test('shows the beginning of large data, and gives all of it away', async () => {
    const data = 'x'.repeat(1_000_000);
    answers = [live(READY + [1, 2, 3].map((n) => `id: news@1${n}-0\ndata: ${data}\n\n`).join(''))];
    await using tab = await open('#news');
    await tab.shows('#count', '3 received');
    await tab.click('.event-row.event');
    await tab.shows('#details-cut', 'The first 20,000 of 1,000,000 characters.');
    expect((await tab.text('#details-data')).length).toBe(20_000);
    await tab.click('#copy-data');
    await tab.click('#save-data');
    await eventually(async () => expect((await tab.saved()).length).toBe(1));
    expect((await tab.saved())[0]?.text.length).toBe(1_000_000);
    expect((await tab.copied())[0]?.length).toBe(1_000_000);
    await tab.click('#copy-events');
    await tab.shows('#export-result', 'too much for the clipboard');
  });

  test('lists deletions and the end as notices, and does not open an ended channel again', async () => {
    let streams = 0;
    answers = [
      (response) => {
        streams += 1;
        response.writeHead(200, HEAD);
        response.write(`${READY}id: news@10-0\nevent: sluice:cleared\ndata: {"channel":"news"}\n\n`);
        response.write('id: news@11-0\nevent: sluice:deleted\ndata: {"channel":"news","key":"SLU"}\n\n');
        response.write('id: news@12-0\ndata: last\n\nid: news@12-0\nevent: sluice:end\ndata: {}\n\n');
      },
    ];
    await using tab = await open('#news');
    await tab.shows('#state', 'Ended');
    expect((await tab.rows('.event-row:not(.ready)')).toReversed()).toEqual([
      'All earlier events of the channel were deleted.',
      'The key SLU was deleted.',
      'message last',
      'The channel has ended. No more events will follow.',
    ]);
    expect(await tab.text('#count')).toBe('1 received');
    expect(streams).toBe(1);
  });

  test('gives no sample for a name that cannot be a channel', async () => {
    await using tab = await open('');
    for (const channel of [`x;touch$IFS'pwned'`, '$(id)', '<img>', '..', 'x'.repeat(201)]) {
      await tab.page.evaluate((hash) => location.assign(hash), `#${encodeURIComponent(channel)}`);
      await tab.shows('#no-samples', 'is not a valid channel name');
      await tab.shows('#chips .reason', 'This is not a valid channel name');
      for (const code of ['shell', 'page', 'client']) expect(await tab.text(`#${code}-code`)).toBe('');
      expect(await tab.page.title()).toBe('Sluice console');
      await tab.page.evaluate(() => location.assign('#news'));
      await tab.shows('#shell-code', '/news');
    }
  });

  test('quotes channels, types and its own path in the samples', async () => {
    const prefix = `/it's$(id);id&\\/`;
    answers = [
      live(
        READY +
          [`');alert(1)//`, '\\', '</script><script>alert(1)//', '\u2028"\u2029', '\u202egnp.exe\u200b']
            .map((type, at) => `id: news@1${at}-1\nevent: ${type}\ndata: x\n\n`)
            .join(''),
      ),
    ];
    await using tab = await open(`${prefix.slice(1)}#news`);
    const base = new URL(prefix, server.origin).href;
    await tab.shows('#count', '5 received');
    expect(await ranByShell(tab)).toEqual([
      ['-N', `${base}events/news`],
      ['-H', 'Authorization: Bearer the key', '-d', 'hello', `${base}publish/news`],
    ]);
    const { urls, types } = await ranByPage(tab);
    expect(urls).toEqual([`${base}events/news`]);
    expect(types).toEqual([
      `');alert(1)//`,
      '\\',
      '</script><script>alert(1)//',
      '\u2028"\u2029',
      '\u202egnp.exe\u200b',
      'sluice:gap',
    ]);
    expect(await ranWithClient(tab)).toEqual([`${base}client/index.js`, base, 'news']);
    expect(await tab.text('#samples')).not.toMatch(/[<\p{Cf}\p{Zl}\p{Zp}]/u);
  });

  test('names several channels in the samples, and never the token', async () => {
    await using tab = await open('#news,orders.42?token=abc.def.ghi&last=3');
    await tab.shows('#shell-code', 'orders.42');
    const events = `${server.origin}/events?channel=news&channel=orders.42`;
    expect(await ranByShell(tab)).toEqual([
      ['-N', '-H', 'Authorization: Bearer the token', events],
      ['-H', 'Authorization: Bearer the key', '-d', 'hello', `${server.origin}/publish/news`],
    ]);
    expect((await ranByPage(tab)).urls).toEqual([events]);
    const { origin } = server;
    expect(await ranWithClient(tab)).toEqual([
      `${origin}/client/index.js`,
      `${origin}/`,
      'getToken',
      'news',
      'orders.42',
    ]);
    expect(await tab.text('body')).not.toContain('abc.def');
  });
});
