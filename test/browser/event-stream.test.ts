import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventStreamParser } from '../../src/console/event-stream.js';
import { launchChromium } from '../support/chromium.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';

/** Everything for which HTML §9.2.6 has a rule. */
const BODY = [
  '\ufeffdata: after a byte order mark\n\n',
  'event: created\r\ndata: CRLF\r\ndata: of two lines\r\nid: 1\r\n\r\n',
  'data: CR\rdata\rdata:\rid: 2\r\r',
  ': a comment\ndata:no space\ndata:  two spaces\nretry: 70000\nretry: soon\n\n',
  'event: created\n\n',
  'data: its type was forgotten\n\n',
  'id: 3\n\ndata: an id without data counts for the next\n\n',
  'id\ndata: an empty id\n\n',
  'id: 4\nunknown: field\n data: indented\nDATA: shouted\ndata: Grüße 🌊\n\n',
  'id: 5\0\ndata: an id with NUL is none\n\n',
  'data: the end\n\n',
  'data: cut off',
].join('');

interface Seen {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

type Equipped = typeof globalThis & { EventStreamParser: typeof EventStreamParser };

let browser: Browser;
let server: PageServer;
let page: Page;

beforeAll(async () => {
  server = await startPageServer((request, response) => {
    if (request.url === '/stream') {
      response.setHeader('content-type', 'text/event-stream');
      response.end(BODY);
    } else if (request.url === '/event-stream.js') {
      response.setHeader('content-type', 'text/javascript; charset=utf-8');
      response.end(readFileSync(new URL('../../src/console/event-stream.js', import.meta.url)));
    } else {
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(
        '<script type="module">import { EventStreamParser } from "/event-stream.js"; window.EventStreamParser = EventStreamParser;</script>',
      );
    }
  });
  browser = await launchChromium();
  page = await browser.newPage();
  await page.goto(server.origin);
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

test("the console's parser finds the same events as the browser's EventSource, however the text is cut", async () => {
  const expected = await page.evaluate(
    () =>
      new Promise<Seen[]>((resolve) => {
        const seen: Seen[] = [];
        const source = new EventSource('/stream');
        for (const type of ['message', 'created']) {
          source.addEventListener(type, (event: MessageEvent<string>) => {
            seen.push({ type: event.type, data: event.data, id: event.lastEventId });
            if (event.data !== 'the end') return;
            source.close();
            resolve(seen);
          });
        }
      }),
  );
  expect(expected.length).toBe(10);
  const parsed = await page.evaluate((body) => {
    const text = new TextDecoder().decode(new TextEncoder().encode(body));
    return Array.from({ length: 7 }, (_, index) => {
      const seen: Seen[] = [];
      const retries: number[] = [];
      const parser = new (globalThis as Equipped).EventStreamParser(
        '',
        ({ type, data, id }) => seen.push({ type, data, id }),
        (ms) => retries.push(ms),
      );
      for (let at = 0; at < text.length; at += index + 1) parser.push(text.slice(at, at + index + 1));
      return { seen, retries };
    });
  }, BODY);
  for (const { seen, retries } of parsed) {
    expect(seen).toEqual(expected);
    expect(retries).toEqual([70_000]);
  }
});
