import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A relay to the broker that fails twice for each publish: see {@link startLossyRelay}. */
export interface LossyRelay {
  readonly url: string;
  /** The Idempotency-Key of each request, in order; empty for a request without one. */
  readonly keys: readonly string[];
  close(): Promise<void>;
}

/**
 * Relays publishes to the broker. For each idempotency key, the first attempt reaches the broker but its answer is
 * lost; the second attempt gets a 503 and does not reach the broker.
 */
export async function startLossyRelay(brokerUrl: string): Promise<LossyRelay> {
  const keys: string[] = [];
  const server = createServer((incoming, response) => {
    const key = String(incoming.headers['idempotency-key'] ?? '');
    keys.push(key);
    const attempt = keys.filter((one) => one === key).length;
    if (attempt === 2) {
      incoming.resume();
      response.writeHead(503, { 'retry-after': '1' }).end('not now');
      return;
    }
    passOn(incoming, response, brokerUrl, attempt === 1);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    keys,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function passOn(incoming: IncomingMessage, response: ServerResponse, brokerUrl: string, lose: boolean): void {
  const outgoing = request(
    `${brokerUrl}${incoming.url}`,
    { method: incoming.method, headers: incoming.headers, agent: false },
    (answer) => {
      // Passes on a refusal: the broker would refuse the next attempt too.
      if (lose && answer.statusCode === 200) {
        answer.resume().on('end', () => incoming.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    },
  );
  outgoing.on('error', () => incoming.socket.destroy());
  incoming.pipe(outgoing);
}
