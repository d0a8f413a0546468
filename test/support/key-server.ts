import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body: string };

/** A real HTTP server that gives out a key set. */
export class KeyServer {
  /** What it answers with, from the next request on; undefined: it takes requests and never answers. */
  answer: Answer | undefined;
  requests = 0;
  readonly #server = createServer((_request, response) => {
    this.requests++;
    const { answer } = this;
    if (answer === undefined) return;
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.body);
  });

  /** What JWKs it gives out from now on. */
  give(...keys: readonly unknown[]): void {
    this.answer = { body: JSON.stringify({ keys }) };
  }

  /** Resolves with its URL. */
  async listen(port = 0): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks`;
  }

  /** From here on connections are refused. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
