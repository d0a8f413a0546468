import type { Page } from 'puppeteer-core';

/**
 * Collects what a page should not do: exceptions, violations of the content security policy, warnings, answers of
 * 400 and above (`401 /publish`), and requests to any other origin than `origins`.
 */
export function watchPage(page: Page, ...origins: readonly string[]): string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${String(error)}`));
  page.on('console', (message) => {
    // Chromium logs this line too for each failed request, without the path.
    if (message.text().startsWith('Failed to load resource')) return;
    if (['error', 'warn'].includes(message.type())) complaints.push(message.text());
  });
  page.on('response', (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${new URL(response.url()).pathname}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (['http:', 'https:', 'ws:'].includes(url.protocol) && !origins.includes(url.origin))
      complaints.push(`request to ${url.origin}`);
  });
  return complaints;
}
