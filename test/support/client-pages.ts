import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Frame, Page } from 'puppeteer-core';
import { rolldown } from 'rolldown';
import { expect, vi } from 'vitest';
import type { Heard, Wish } from '../browser/client-page-script.ts';
import { startBroker } from './broker.ts';
import type { Broker } from './broker.ts';
import { launchBrowser } from './launch-browser.ts';
import type { BrowserName } from './launch-browser.ts';
import { startPageServer } from './page-server.ts';
import type { PageServer } from './page-server.ts';
import { readMetrics } from './read-metrics.ts';

/** What a page may not have: its use throws, as in a browser that refuses it. */
type Refused = 'locks' | 'storage' | 'channels';

const REFUSALS: Readonly<Record<Refused, string>> = {
  locks: 'navigator.locks.request = () => Promise.reject(new DOMException("refused", "SecurityError"));',
  storage:
    'Object.defineProperty(window, "sessionStorage", { get() { throw new DOMException("refused", "SecurityError"); } });',
  channels: 'window.BroadcastChannel = class { constructor() { throw new DOMException("refused"); } };',
};

/** Serves pages with the client, as rolldown builds it for a browser. `answer` has the first word on each request. */
async function startClientPages(
  answer: (...args: Parameters<RequestListener>) => boolean = () => false,
): Promise<PageServer> {
  const input = fileURLToPath(new URL('../browser/client-page-script.ts', import.meta.url));
  const bundle = await rolldown({ input, platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true, entryFileNames: 'page.js' });
  await bundle.close();
  const files = new Map(output.map((file) => [`/${file.fileName}`, 'code' in file ? file.code : '']));
  return await startPageServer((request, response) => {
    if (answer(request, response)) return;
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const code = files.get(pathname);
    response.setHeader('content-type', code === undefined ? 'text/html; charset=utf-8' : 'text/javascript');
    const refused = (searchParams.get('refuse') ?? '')
      .split(',')
      .map((name) => REFUSALS[name as Refused] ?? '');
    response.end(
      code ??
        `<!doctype html><title>An application</title><link rel="icon" href="data:,">
        <script>${refused.join('')}</script><script type="module" src="/page.js"></script>`,
    );
  });
}

/** Repeats a check until it passes, in tests that run side by side, too. */
export async function eventually(check: () => unknown): Promise<void> {
  await vi.waitFor(check, { timeout: 50_000, interval: 40 });
}

/** A browser, a broker, and an application with the client; close it in `afterAll`. */
export class ClientStage {
  readonly browser: Browser;
  readonly broker: Broker;
  readonly origin: string;
  readonly #pages: PageServer;

  private constructor(browser: Browser, broker: Broker, pages: PageServer) {
    this.browser = browser;
    this.broker = broker;
    this.origin = pages.origin;
    this.#pages = pages;
  }

  static async start(
    name: BrowserName,
    env: Readonly<Record<string, string>> = {},
    answer?: Parameters<typeof startClientPages>[0],
  ): Promise<ClientStage> {
    const pages = await startClientPages(answer);
    const started = startBroker({ SLUICE_CORS_ORIGINS: pages.origin, SLUICE_RETRY: '500ms', ...env });
    const [browser, broker] = await Promise.all([launchBrowser(name), started]);
    return new ClientStage(browser, broker, pages);
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.broker.kill();
    await this.#pages.close();
  }

  /** Opens a tab, which follows what is wished. The broker is that of the stage, without another URL. */
  async open(
    context: BrowserContext,
    { refuse, ...wish }: Omit<Wish, 'url'> & { readonly url?: string; readonly refuse?: Refused },
  ): Promise<Tab> {
    const page = await context.newPage();
    await page.goto(refuse === undefined ? this.origin : `${this.origin}/?refuse=${refuse}`);
    const tab = new Tab(page, { url: this.broker.url, ...wish });
    await tab.follow(wish.channels);
    return tab;
  }

  async connections(): Promise<number> {
    return (await readMetrics(this.broker.url)).get('sluice_connections') ?? 0;
  }

  /** How many streams have a channel. */
  async subscribers(channel: string): Promise<number> {
    const headers = { authorization: `Bearer ${this.broker.key}` };
    const response = await fetch(`${this.broker.url}/channels/${channel}`, { headers });
    return ((await response.json()) as { subscribers: number }).subscribers;
  }
}

/** A page with the client, or a frame. */
export class Tab {
  readonly page: Page;
  readonly #place: Page | Frame;
  readonly #wish: Wish;

  constructor(page: Page, wish: Wish, place: Page | Frame = page) {
    this.page = page;
    this.#wish = wish;
    this.#place = place;
  }

  /** Follows channels with the client of the page, in other ways than before when there is a start. */
  async follow(channels: readonly string[], start?: Wish['start']): Promise<void> {
    await this.#place.evaluate(
      `follow(${JSON.stringify({ ...this.#wish, channels, ...(start && { start }) })})`,
    );
  }

  async heard(): Promise<Heard> {
    return (await this.#place.evaluate('heard')) as Heard;
  }

  /** Waits until each channel is ready. */
  async ready(...channels: string[]): Promise<void> {
    await eventually(async () =>
      expect((await this.heard()).ready).toEqual(expect.arrayContaining(channels)),
    );
  }

  /** Waits until the tab has events, and checks that it has each of them once and in order, and was told of no gap. */
  async has(channel: string, events: readonly string[]): Promise<void> {
    const last = events.at(-1) ?? '';
    await eventually(async () => expect((await this.heard()).data[channel]?.at(-1)).toBe(last));
    const { data, gaps } = await this.heard();
    expect({ data: data[channel], gaps }).toEqual({ data: events, gaps: 0 });
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}

/** Publishes numbers to a channel, and knows which. */
export class Numbers {
  readonly published: string[] = [];
  readonly channel: string;
  readonly #broker: Broker;

  constructor(channel: string, broker: Broker) {
    this.channel = channel;
    this.#broker = broker;
  }

  async publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const next = String(this.published.length + 1);
      await this.#broker.publish(this.channel, next);
      this.published.push(next);
    }
  }

  /** Publishes while something happens, at least one event. */
  async publishDuring(happening: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = happening.finally(() => (isOver = true));
    do {
      await this.publish(1);
      // Leaves the machine to what happens.
      await delay(10);
    } while (!isOver);
    await over;
  }
}
