import type { Browser, Page } from 'playwright-core';

/** A page, and everything that it should not have done. */
export interface WatchedPage {
  readonly page: Page;
  /**
   * Exceptions, violations of the content security policy, warnings, answers of 400 and above (`401 /publish`), and
   * requests to another origin than `origin`.
   */
  readonly complaints: string[];
}

/** Opens an empty page in a new browser context. */
export async function openWatchedPage(
  browser: Browser,
  origin: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    // Chromium logs this line too for each failed request, without the path.
    if (message.text().startsWith('Failed to load resource')) return;
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${new URL(response.url()).pathname}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.origin !== origin) complaints.push(`request to ${url.origin}`);
  });
  return { page, complaints };
}
