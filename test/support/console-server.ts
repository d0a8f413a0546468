import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { startPageServer } from './page-server.ts';
import type { PageServer } from './page-server.ts';

const CONSOLE = new URL('../../src/console/', import.meta.url);
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/**
 * Serves the console's files under any path, as behind a proxy that adds a prefix. Also stands in for the broker at
 * `…/events/…`, to give answers that a real broker gives only rarely. Close it in `afterAll`.
 */
export async function startConsoleServer(events: RequestListener): Promise<PageServer> {
  return await startPageServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://console.test').pathname;
    if (path.includes('/events/')) {
      events(request, response);
      return;
    }
    const name = /[^/]*$/.exec(path)?.[0] || 'index.html';
    void readFile(new URL(name, CONSOLE)).then(
      (content) => {
        response.setHeader('content-type', TYPES[name.split('.').at(-1) ?? ''] ?? '');
        response.end(content);
      },
      () => response.writeHead(404).end(),
    );
  });
}
