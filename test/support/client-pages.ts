import { deepEqual, equal, ok } from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Frame, Page } from 'puppeteer-core';
import { rolldown } from 'rolldown';
import { vi } from 'vitest';
import type { SubscribeOptions } from '../../client/src/index.ts';
import { startBroker } from './broker.ts';
import type { Broker } from './broker.ts';
import { launchBrowser } from './launch-browser.ts';
import type { BrowserName } from './launch-browser.ts';
import { startPageServer } from './page-server.ts';
import type { PageServer } from './page-server.ts';

/** What a test asks of a page. It has to survive JSON. */
export interface Wish {
  readonly url: string;
  readonly channels: readonly string[];
  readonly start?: Pick<SubscribeOptions, 'after' | 'last' | 'since' | 'state'>;
  readonly options?: {
    /** The group of tabs that share a connection. */
    readonly share?: string;
    /** The name under which the page keeps its positions. */
    readonly keep?: string;
  };
  /** Gets tokens from the application; an answer other than 200 is a failure of `getToken`. */
  readonly tokens?: string;
}

/** What has happened in a page. */
export interface Heard {
  readonly data: Record<string, string[]>;
  readonly ready: string[];
  readonly ended: string[];
  readonly gaps: number;
  readonly errors: string[];
  readonly statuses: string[];
  readonly tokenReasons: string[];
  /** The page came out of the back/forward cache. */
  readonly restored: number;
}

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
  await vi.waitFor(check, { timeout: 55_000, interval: 40 });
}

type TabWish = Omit<Wish, 'url'> & { readonly url?: string; readonly refuse?: Refused };

/** What a test has for itself. */
export interface Scene extends AsyncDisposable {
  readonly context: BrowserContext;
  readonly numbers: Numbers;
  /** Opens a tab, and waits until it is ready for the numbers. */
  open(wish?: Partial<TabWish>): Promise<Tab>;
  /** Waits until so many streams have the numbers. A stream that is opened again is not there for a moment. */
  hasConnections(count: number): Promise<void>;
}

/** A browser, a broker, and an application with the client; close it in `afterAll`. */
export class ClientStage {
  readonly browser: Browser;
  readonly broker: Broker;
  readonly origin: string;
  readonly #pages: PageServer;
  #scenes = 0;

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
  async open(context: BrowserContext, { refuse, ...wish }: TabWish): Promise<Tab> {
    const page = await context.newPage();
    await page.goto(refuse === undefined ? this.origin : `${this.origin}/?refuse=${refuse}`);
    const tab = new Tab(page, { url: this.broker.url, ...wish });
    await tab.follow(wish.channels);
    return tab;
  }

  /** Begins a test with a context and a channel of its own, so that tests can run side by side. */
  async begin(prefix = 'numbers'): Promise<Scene> {
    const context = await this.browser.createBrowserContext();
    const numbers = new Numbers(`${prefix}.${++this.#scenes}`, this.broker);
    const { channel } = numbers;
    return {
      context,
      numbers,
      open: async (wish) => {
        const tab = await this.open(context, { channels: [channel], ...wish });
        await tab.ready(channel);
        return tab;
      },
      hasConnections: (count) => eventually(async () => equal(await this.subscribers(channel), count)),
      [Symbol.asyncDispose]: () => context.close(),
    };
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
    await eventually(async () => {
      const { ready } = await this.heard();
      ok(channels.every((channel) => ready.includes(channel)));
    });
  }

  /** Waits until the tab has events, and checks that it has each of them once and in order, and was told of no gap. */
  async has(channel: string, events: readonly string[]): Promise<void> {
    const last = events.at(-1) ?? '';
    await eventually(async () => equal((await this.heard()).data[channel]?.at(-1), last));
    const { data, gaps } = await this.heard();
    deepEqual({ data: data[channel], gaps }, { data: events, gaps: 0 });
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
    const over = happening.then(() => true);
    // Leaves the machine to what happens.
    do await this.publish(1);
    while (!(await Promise.race([over, delay(10, false)])));
  }
}
