import type { RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'puppeteer-core';
import { rolldown } from 'rolldown';
import { expect } from 'vitest';
import type { Heard, Wish } from '../browser/client-page-script.ts';
import type { Broker } from './broker.ts';
import { startPageServer } from './page-server.ts';
import type { PageServer } from './page-server.ts';

/** What a page may not have: its use throws, as in a browser that refuses it. */
export type Refused = 'locks' | 'storage' | 'channels';

const REFUSALS: Readonly<Record<Refused, string>> = {
  locks: 'navigator.locks.request = () => Promise.reject(new DOMException("refused", "SecurityError"));',
  storage:
    'Object.defineProperty(window, "sessionStorage", { get() { throw new DOMException("refused", "SecurityError"); } });',
  channels: 'window.BroadcastChannel = class { constructor() { throw new DOMException("refused"); } };',
};

/** Serves pages with the client, as rolldown builds it for a browser. `answer` has the first word on each request. */
export async function startClientPages(
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

/** A tab with the client. */
export class Tab {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  static async open(context: BrowserContext, origin: string, wish?: Wish, refuse?: Refused): Promise<Tab> {
    const tab = new Tab(await context.newPage());
    await tab.page.goto(refuse === undefined ? origin : `${origin}/?refuse=${refuse}`);
    if (wish) await tab.follow(wish);
    return tab;
  }

  async follow(wish: Wish): Promise<void> {
    await this.page.evaluate(`follow(${JSON.stringify(wish)})`);
  }

  async heard(): Promise<Heard> {
    return (await this.page.evaluate('heard')) as Heard;
  }

  /** Waits until each channel is ready. */
  async ready(...channels: string[]): Promise<void> {
    await expect.poll(async () => (await this.heard()).ready).toEqual(expect.arrayContaining(channels));
  }

  /** Waits until the tab has events, and checks that it has each of them once and in order. */
  async has(channel: string, events: readonly string[]): Promise<void> {
    const last = events.at(-1) ?? '';
    await expect.poll(async () => (await this.heard()).data[channel] ?? []).toContain(last);
    expect((await this.heard()).data[channel]).toEqual(events);
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}

/** Publishes numbers to a channel, and knows which. */
export class Numbers {
  readonly published: string[] = [];
  readonly #channel: string;
  /** Finds a broker that is there. */
  readonly #broker: () => Broker;

  constructor(channel: string, broker: () => Broker) {
    this.#channel = channel;
    this.#broker = broker;
  }

  async publish(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const next = String(this.published.length + 1);
      await this.#broker().publish(this.#channel, next);
      this.published.push(next);
    }
  }

  /** Publishes while something happens. */
  async publishDuring(happening: Promise<unknown>): Promise<void> {
    let isOver = false;
    const over = happening.finally(() => (isOver = true));
    do await this.publish(1);
    while (!isOver);
    await over;
  }
}
