import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body: string };

/** A real HTTP server that gives out a key set. */
export class KeyServer {
  /** What it answers with, from the next request on; undefined: it takes requests and does not answer before `release`. */
  answer: Answer | undefined;
  requests = 0;
  readonly #server = createServer((_request, response) => {
    this.requests++;
    if (this.answer === undefined) this.#waiting.push(response);
    else send(response, this.answer);
  });
  #waiting: ServerResponse[] = [];

  /** What JWKs it gives out from now on. */
  give(...keys: readonly unknown[]): void {
    this.answer = { body: JSON.stringify({ keys }) };
  }

  /** Answers those that wait, with what it answers with now. */
  release(): void {
    for (const response of this.#waiting.splice(0))
      if (this.answer !== undefined) send(response, this.answer);
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

function send(response: ServerResponse, { status = 200, headers, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body);
}
