import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The simplest possible server: node:http, an id from a counter, one write for each subscriber. It has no log, no
 * order, no limits and no authentication. The guard compares the broker's cost with this server's cost, at the same
 * time on the same machine. So this file must not change.
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
