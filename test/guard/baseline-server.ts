import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What one would write in an afternoon: node:http, an id from a counter, one write for each subscriber. It has no log,
 * no order to keep, no limits and no key to check. The broker's cost is compared with it, in the same minute on the
 * same machine; so it must not change.
 */
const subscribers = new Set<ServerResponse>();
let id = 0;

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(':\n');
    subscribers.add(response);
    response.on('close', () => subscribers.delete(response));
    return;
  }
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk: string) => {
    body += chunk;
  });
  request.on('end', () => {
    const { data } = JSON.parse(body) as { data: string };
    id++;
    for (const subscriber of subscribers) subscriber.write(`id: ${id}\ndata: ${data}\n\n`);
    const answer = JSON.stringify({ channel: 'news', id: String(id) });
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer),
    });
    response.end(answer);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
