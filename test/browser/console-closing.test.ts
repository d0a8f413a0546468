import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { launchChromium } from '../support/chromium.ts';
import { startConsoleServer } from '../support/console-server.ts';
import type { PageServer } from '../support/page-server.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let browser: Browser;
let server: PageServer;
let page: Page;
/** The answers to the next streams, in order; the last one repeats. */
let answers: Answer[];
/** The cursor of each request. */
let cursors: (string | undefined)[];

beforeAll(async () => {
  server = await startConsoleServer((request, response) => {
    cursors.push(request.headers['last-event-id'] as string | undefined);
    (answers.length > 1 ? answers.shift() : answers[0])?.(request, response);
  });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(async () => {
  cursors = [];
  page = await browser.newPage();
});
afterEach(() => page.close());

const HEAD = { 'content-type': 'text/event-stream; charset=utf-8' };

/** Sends the whole text and ends with the last chunk. */
function whole(text: string): Answer {
  return (_request, response) => {
    response.writeHead(200, HEAD);
    response.end(text);
  };
}

/** Sends the text without chunks; the body ends with the connection. */
function closeDelimited(text: string): Answer {
  return (_request, response) => {
    response.removeHeader('transfer-encoding');
    response.writeHead(200, { ...HEAD, connection: 'close' });
    response.end(text);
  };
}

/** Sends the text in chunks, and cuts the connection without a last chunk after the page has shown the text. */
function cut(text: string, readBy: () => Promise<unknown>): Answer {
  return (_request, response) => {
    response.writeHead(200, HEAD);
    response.write(text);
    void readBy().then(() => response.destroy());
  };
}

const open: Answer = (_request, response) => {
  response.writeHead(200, HEAD);
  response.write('id: 9-0\nevent: sluice:ready\ndata: {"channels":{"news":"9-0"}}\n\n');
};

const closing = (reason: string, retry: number, id = ''): string =>
  `retry: ${retry}\n${id === '' ? '' : `id: ${id}\n`}event: sluice:closing\ndata: {"reason":"${reason}","retry":${retry}}\n\n`;

const rows = async (): Promise<string[]> =>
  await page
    .locator('#events > li')
    .evaluateAll((all) => all.map((row) => row.querySelector('p, .data')?.textContent ?? '').toReversed());

test.each([
  ['draining', 'it is shutting down'],
  ['age', 'the connection has reached its maximum age'],
  ['expired', 'the token has expired'],
  ['disconnected', 'a backend has ended the stream'],
  ['limit', 'it has reached its limit of connections'],
  ['address-limit', 'this address has reached its limit of connections'],
  ['subject-limit', "the token's subject has reached its limit of connections"],
  ['failed-authentication', 'this address has sent too many wrong credentials'],
  ['keys', "it cannot fetch the token's key now"],
])('the page says why the broker ends the stream: %s', async (reason, words) => {
  answers = [whole(closing(reason, 7_000))];
  await page.goto(`${server.origin}/#news`);
  await page.getByText('Reconnecting in 7.0 s').waitFor();
  await expect
    .poll(rows)
    .toEqual([`The broker asks the client to come back: ${words} (${reason}). Trying again in 7.0 s.`]);
  expect(await page.locator('#count').textContent()).toBe('0 received');
  expect(await page.locator('.event').count()).toBe(0);
});

test('the line about the connection fits on a phone', async () => {
  answers = [whole(closing('draining', 600_000, '1763596800000-0'))];
  await page.setViewportSize({ width: 360, height: 640 });
  await page.goto(`${server.origin}/#news`);
  await page.getByText('Reconnecting in 600.0 s').waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
});

test.each([
  ['chunked', whole],
  ['close-delimited', closeDelimited],
])(
  'a stream that the broker ends is resumed from its last id, after the given time: %s',
  async (_how, ended) => {
    answers = [
      ended(`:\nid: 5-0\ndata: hello\n\n${closing('draining', 150, '6-0')}`),
      // A refused client gets back the cursor that it sent.
      ended(closing('limit', 160, '6-0')),
      open,
    ];
    await page.goto(`${server.origin}/#news`);
    await page.getByText('Caught up').waitFor();
    expect(cursors).toEqual([undefined, '6-0', '6-0']);
    await expect
      .poll(rows)
      .toEqual([
        'hello',
        'The broker asks the client to come back: it is shutting down (draining). Resuming after 6-0 in 0.1 s.',
        'The broker asks the client to come back: it has reached its limit of connections (limit). Resuming after 6-0 in 0.2 s.',
        'Caught up with 9-0. From here on, events arrive as they are published.',
      ]);
    expect(await page.locator('#count').textContent()).toBe('1 received');
  },
);

test('a stream that is cut counts as lost, whatever the stream before ended with', async () => {
  answers = [
    whole(closing('age', 100, '1-0')),
    cut('id: 5-0\ndata: hello\n\n', () => page.getByText('hello', { exact: true }).last().waitFor()),
    open,
  ];
  await page.goto(`${server.origin}/#news`);
  await page.getByText('Caught up').waitFor();
  expect((await rows())[2]).toBe('The connection was lost. Resuming after 5-0 in 0.1 s.');
  expect(cursors).toEqual([undefined, '1-0', '5-0']);
});

test('heartbeats are not listed and do not move the cursor; a gap is resumed from its id', async () => {
  const beat = 'event: sluice:heartbeat\ndata: 2026-01-31T12:00:00.000Z\n\n';
  answers = [
    whole(
      `retry: 100\nid: 4-0\nevent: sluice:gap\ndata: {"channel":"news","after":"4-0","before":null}\n\n${beat}id: 4-0\n${beat}`,
    ),
    open,
  ];
  await page.goto(`${server.origin}/#news`);
  await page.getByText('Caught up').waitFor();
  expect(cursors).toEqual([undefined, '4-0']);
  expect(await rows()).toEqual([
    'Events may be missing after 4-0. An application has to load its state again.',
    'The connection was lost. Resuming after 4-0 in 0.1 s.',
    'Caught up with 9-0. From here on, events arrive as they are published.',
  ]);
});

test.each([
  ['{"reason":"a reason of tomorrow","retry":1e300}', 'a reason of tomorrow', '600.0 s'],
  ['{"reason":"__proto__","retry":7000}', '__proto__', '7.0 s'],
  ['{"reason":7,"retry":-1}', undefined, '3.0 s'],
  ['no JSON', undefined, '3.0 s'],
  ['null', undefined, '3.0 s'],
])('the page reconnects after any sluice:closing: %s', async (data, reason, time) => {
  answers = [whole(`event: sluice:closing\ndata: ${data}\n\n`)];
  await page.goto(`${server.origin}/#news`);
  const why = reason === undefined ? '' : `: ${reason}`;
  await expect
    .poll(rows)
    .toEqual([`The broker asks the client to come back${why}. Trying again in ${time}.`]);
});

test('a stream whose channel has ended is not opened again', async () => {
  answers = [whole('id: 5-0\ndata: last\n\nid: 5-0\nevent: sluice:end\ndata: {"channel":"news"}\n\n'), open];
  await page.goto(`${server.origin}/#news`);
  await page.getByText('Ended', { exact: true }).waitFor();
  await expect.poll(rows).toEqual(['last', 'The channel has ended. No more events will follow.']);
  expect(await page.locator('#disconnect').isDisabled()).toBe(true);
  expect(await page.locator('#count').textContent()).toBe('1 received');
  expect(cursors).toEqual([undefined]);
});

test('a 204 ends the stream, and the page says that there is nothing to follow', async () => {
  answers = [(_request, response) => response.writeHead(204).end(), open];
  await page.goto(`${server.origin}/#news?only=active`);
  await page.getByText('Ended', { exact: true }).waitFor();
  await expect.poll(rows).toEqual(['There is nothing to follow: the channel has ended, or has no events.']);
  expect(cursors).toEqual([undefined]);
});

test('the page says that events, or a key, were deleted', async () => {
  answers = [
    (_request, response) => {
      response.writeHead(200, HEAD);
      response.write('id: 5-0\nevent: sluice:cleared\ndata: {"channel":"news"}\n\n');
      response.write('id: 6-0\nevent: sluice:deleted\ndata: {"channel":"news","key":"SLU"}\n\n');
    },
  ];
  await page.goto(`${server.origin}/#news`);
  await expect
    .poll(rows)
    .toEqual(['All earlier events of the channel were deleted.', 'The key SLU was deleted.']);
});

test('an unknown event of the broker does not count as an event of the application', async () => {
  answers = [
    (_request, response) => {
      response.writeHead(200, HEAD);
      response.write('id: 5-0\nevent: sluice:tomorrow\ndata: {}\n\nid: 6-0\ndata: hello\n\n');
    },
  ];
  await page.goto(`${server.origin}/#news`);
  await expect.poll(rows).toEqual(['sluice:tomorrow: {}', 'hello']);
  expect(await page.locator('#count').textContent()).toBe('1 received');
  expect(await page.locator('#page-code').textContent()).not.toContain('tomorrow');
});
