import { deepEqual } from 'node:assert/strict';
import type { Browser, Page } from 'puppeteer-core';
import { eventually } from '../support/client-pages.ts';
import { watchPage } from '../support/watch-page.ts';

type Equipped = typeof globalThis & { copied: string[]; saved: { name: string; text: string }[] };

/** The console in a tab of its own, and everything that it should not have done. */
export class ConsolePage implements AsyncDisposable {
  readonly page: Page;
  /** A test provokes these complaints, and there must be no others. */
  provoked: string[] = [];
  /** Every URL that the page requests. */
  readonly asked: string[] = [];
  readonly #origin: string;
  readonly #complaints: readonly string[];

  private constructor(page: Page, origin: string) {
    this.page = page;
    this.#origin = origin;
    this.#complaints = watchPage(page, origin);
  }

  /** Opens a page in a new browser context. Give it to `await using`: the end checks the complaints. */
  static async open(
    browser: Browser,
    origin: string,
    fragment?: string,
    provoked: string[] = [],
  ): Promise<ConsolePage> {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const opened = new ConsolePage(page, origin);
    opened.provoked = provoked;
    await opened.#watch();
    await page.setViewport({ width: 1280, height: 800 });
    if (fragment !== undefined) await opened.goto(fragment);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.browserContext().close();
    const expected = new Set(this.provoked);
    deepEqual(
      this.#complaints.filter((complaint) => !expected.has(complaint)),
      [],
    );
  }

  async #watch(): Promise<void> {
    const { page } = this;
    page.on('request', (request) => this.asked.push(request.url()));
    await page.evaluateOnNewDocument(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        console.error(`policy: ${violatedDirective} ${blockedURI}`),
      );
      // What leaves the page comes here, and not into the clipboard and the folders of the machine.
      const here = globalThis as Equipped;
      here.copied = [];
      here.saved = [];
      Object.defineProperty(navigator, 'clipboard', {
        value: { writeText: async (text: string) => void here.copied.push(text) },
      });
      const make = URL.createObjectURL.bind(URL);
      const blobs = new Map<string, Blob>();
      URL.createObjectURL = (blob) => {
        const url = make(blob);
        blobs.set(url, blob as Blob);
        return url;
      };
      HTMLAnchorElement.prototype.click = function click() {
        void blobs
          .get(this.href)
          ?.text()
          .then((text) => here.saved.push({ name: this.download, text }));
      };
    });
  }

  async goto(fragment: string): Promise<void> {
    await this.page.goto(`${this.#origin}/${fragment}`);
    // The page's code may run after the load event.
    await this.page.waitForSelector('#connect-button:enabled');
  }

  /** The texts of all elements that match, as they stand in the document. */
  async texts(selector: string): Promise<string[]> {
    return await this.page.$$eval(selector, (found) => found.map(({ textContent }) => textContent));
  }

  async text(selector: string): Promise<string> {
    return (await this.texts(selector)).join('\n');
  }

  /** Waits until the first element that matches has the text. */
  async shows(selector: string, text: string): Promise<void> {
    await eventually(async () => {
      const found = await this.text(selector);
      if (!found.includes(text)) throw new Error(`${selector} shows ${found}, and not ${text}`);
    });
  }

  /** The rows in the document, newest first: the type and the beginning of the data of events, the text of notices. */
  async rows(selector = '.event-row'): Promise<string[]> {
    // In one step: the list uses its elements again for other rows.
    return await this.page.evaluate(
      (rows) =>
        [...document.querySelectorAll(rows)]
          .toSorted((one, other) => Number(one.ariaPosInSet) - Number(other.ariaPosInSet))
          .map((row) =>
            [...row.querySelectorAll('.type, .preview')]
              .map(({ textContent }) => textContent)
              .filter(Boolean)
              .join(' '),
          ),
      `#events ${selector}`,
    );
  }

  async events(): Promise<string[]> {
    return await this.rows('.event');
  }

  async chips(): Promise<string[]> {
    return await this.page.$$eval('#chips .chip', (all) =>
      all.map((chip) =>
        [...chip.querySelectorAll('.name, .chip-state')].map(({ textContent }) => textContent).join(' '),
      ),
    );
  }

  /** Replaces what a field has. */
  async fill(selector: string, text: string): Promise<void> {
    await this.page.$eval(
      selector,
      (field, value) => {
        (field as HTMLInputElement).value = value;
        field.dispatchEvent(new Event('input', { bubbles: true }));
      },
      text,
    );
  }

  /** Clicks a button that may be scrolled out of sight. */
  async click(selector: string): Promise<void> {
    await this.page.$eval(selector, (button) => (button as HTMLElement).click());
  }

  async copied(): Promise<string[]> {
    return await this.page.evaluate(() => (globalThis as Equipped).copied);
  }

  async saved(): Promise<{ name: string; text: string }[]> {
    return await this.page.evaluate(() => (globalThis as Equipped).saved);
  }

  /** Waits until the events of the link have been read. */
  async caughtUp(times = 1): Promise<void> {
    await eventually(async () => {
      const ready = await this.rows('.ready');
      if (ready.length < times) throw new Error(`${ready.length} of ${times} channels have caught up`);
    });
  }
}
