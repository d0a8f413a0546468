import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A server whose answers a test decides. */
export interface ScriptedServer {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** The URL of each request, in order. */
  readonly requests: readonly string[];
  /** Decides the answers from now on. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Resolves when there were so many requests. */
  asked(count: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on 127.0.0.1; close it in `afterAll`. */
export async function startScriptedServer(answer: ScriptedServer['answer']): Promise<ScriptedServer> {
  const requests: string[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    script.answer(request, response);
    for (const check of waiting) check();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  const script: ScriptedServer = {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    answer,
    asked: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (requests.length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return script;
}
