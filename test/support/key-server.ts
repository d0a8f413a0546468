import { once } from 'node:events';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Answer = { readonly status?: number; readonly headers?: Record<string, string>; readonly body: string };

/** A real HTTP server that serves a key set. */
export class KeyServer {
  /** The answer, from the next request on. With undefined, requests wait for `release`. */
  answer: Answer | undefined;
  requests = 0;
  readonly #server = createServer((_request, response) => {
    this.requests++;
    if (this.answer === undefined) this.#waiting.push(response);
    else send(response, this.answer);
  });
  #waiting: ServerResponse[] = [];

  /** Sets the JWKs of the answer. */
  give(...keys: readonly unknown[]): void {
    this.answer = { body: JSON.stringify({ keys }) };
  }

  /** Answers the requests that wait, with the current answer. */
  release(): void {
    for (const response of this.#waiting.splice(0))
      if (this.answer !== undefined) send(response, this.answer);
  }

  /** Starts to listen and resolves with the URL. */
  async listen(port = 0): Promise<string> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/jwks`;
  }

  /** Stops the server: connections are refused from now on. */
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
