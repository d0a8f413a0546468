import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { eventually } from '../support/client-pages.ts';
import { ROOT } from '../support/document-shell.ts';
import { launchBrowser } from '../support/launch-browser.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';

// The code for pages in README.md, client/README.md and docs/recipes.md, as it stands there, in pages of another
// origin than the broker's. The application gives its user a token for `user.7`, as a cookie and in its answer.

const SECRET = 'a secret of the tests with 32 bytes';
/** What the code of the documents leaves to the reader. */
const READER = `
  const heard = [];
  window.show = (...values) => { heard.push(values.join(' ')); document.body.append(values.join(' ')); };
  window.reloadEverything = window.reloadEverythingFromYourOwnBackend = () => show('gap');
`;

/** The only code of a document with this text, in a language for pages. */
function code(document: string, text: string): string {
  const blocks = readFileSync(join(ROOT, document), 'utf8').matchAll(/^( *)```(?:js|html)\n([^]*?)^\1```$/gm);
  const [found = '', ...more] = [...blocks]
    .map(([, , block = '']) => block)
    .filter((block) => block.includes(text));
  if (found === '' || more.length > 0)
    throw new Error(`${document} has ${more.length + 1} blocks with ${text}.`);
  const script = found.replace('<script type="module">', '').replace('</script>', '');
  return script.replaceAll(/http:\/\/localhost:3000|https:\/\/events\.example\.com/g, broker.url);
}

let browser: Browser;
let broker: Broker;
let server: PageServer;
let page: Page;
/** The script of the page that is opened next. */
let script = '';

beforeAll(async () => {
  server = await startPageServer((incoming, response) => {
    const path = incoming.url ?? '/';
    if (path.startsWith('/events/')) passOn(incoming, response);
    else if (path === '/sluice-token') void giveToken(response);
    else response.setHeader('content-type', 'text/html; charset=utf-8').end(html());
  });
  broker = await startBroker({
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_CORS_ORIGINS: server.origin,
    SLUICE_CHANNELS: '[{"match":"user.*","public":false},{"match":"*","public":true}]',
  });
  browser = await launchBrowser('chrome');
});
afterEach(() => page.close());
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await broker?.stop();
});

const html = (): string =>
  `<!doctype html><title>An application</title><link rel="icon" href="data:,"><p id="answer"></p>
  <script>${READER}</script><script type="module">${script}</script>`;

/** The proxy that gives the broker the origin of the page. */
function passOn(incoming: IncomingMessage, response: ServerResponse): void {
  const { url: path, headers } = incoming;
  const passed = request({ port: broker.port, host: '127.0.0.1', path, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 0, answer.headers);
    answer.pipe(response);
  });
  response.on('close', () => passed.destroy());
  passed.on('error', () => response.destroy()).end();
}

async function giveToken(response: ServerResponse): Promise<void> {
  const answer = await fetch(`${broker.url}/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ subscribe: ['user.7'], sub: '7', ttl: 300 }),
  });
  const { token } = (await answer.json()) as { token: string };
  const [, cookie = ''] =
    /^Set-Cookie: (.*)$/m.exec(readFileSync(join(ROOT, 'docs/recipes.md'), 'utf8')) ?? [];
  response.setHeader('set-cookie', cookie.replace('<token>', token)).end(token);
}

/** Opens a page with the script, and publishes until the page shows the text: a stream begins live. */
async function shows(text: string, source: string, publish: () => Promise<unknown>): Promise<void> {
  script = source;
  page = await browser.newPage();
  await page.goto(server.origin);
  await eventually(async () => {
    await publish();
    expect(await page.evaluate(() => document.title + document.body.textContent)).toContain(text);
  });
}

async function send(path: string, body: string): Promise<void> {
  const headers = { authorization: `Bearer ${broker.key}` };
  const answer = await fetch(`${broker.url}/publish/${path}`, { method: 'POST', headers, body });
  expect([200, 409]).toContain(answer.status);
}

const created = (): Promise<void> => send('orders.42?event=created', '"paid"');

test('README.md: EventSource, and the client without a build step', async () => {
  await shows('paid', code('README.md', 'new EventSource'), created);
  await page.close();
  await shows('created "paid"', code('README.md', '/client/index.js'), created);
});

test('client/README.md: the client without a build step', async () => {
  await shows('message paid', code('client/README.md', '/client/index.js'), () => send('orders.42', 'paid'));
});

test('docs/recipes.md: the answer of a model', async () => {
  await shows('An answer broke off', code('docs/recipes.md', '#answer'), async () => {
    await send('answer.1?each=line', 'An');
    await send('answer.1?each=event', 'event: token\ndata: answer\n\n');
    await send('answer.1?event=failed&close=true', 'broke off');
  });
});

test('docs/recipes.md: many tabs', async () => {
  await shows('hello', code('docs/recipes.md', 'shareTabs'), () => send('news', 'hello'));
});

test('docs/recipes.md: tokens with a cookie', async () => {
  await shows('paid', code('docs/recipes.md', 'setInterval(renew'), () => send('user.7', 'paid'));
});

test('docs/recipes.md: cookies across origins', async () => {
  const source = code('docs/recipes.md', 'withCredentials');
  await shows(
    'paid',
    `await fetch('/sluice-token');\n${source}\nsource.onmessage = ({ data }) => show(data);`,
    () => send('user.7', 'paid'),
  );
});

test('docs/recipes.md: tokens with the client', async () => {
  await shows('sent', code('docs/recipes.md', 'getToken'), () => send('user.7', 'sent'));
});

test('docs/recipes.md: the newest value of each key', async () => {
  await send('prices?key=SLU', '{"name":"SLU","price":12}');
  await shows('ICE,7', code('docs/recipes.md', 'state: true'), async () =>
    send('prices?key=ICE', '{"name":"ICE","price":7}'),
  );
  expect(await page.title()).toBe('SLU,12 ICE,7');
});
