import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';

/** The used part of better-sse's types. The package is not installed with Sluice. */
interface BetterSse {
  readonly createSession: (
    request: IncomingMessage,
    response: ServerResponse,
    options: object,
  ) => Promise<object>;
  readonly createChannel: () => {
    register(session: object): void;
    broadcast(data: string, event: string, options: { readonly eventId: string }): void;
  };
}

/** GET /<channel> subscribes, POST /<channel> publishes. Arguments: the port, and the package's file. */
const [, , port = '0', file = ''] = process.argv;
const { createChannel, createSession } = (await import(pathToFileURL(file).href)) as BetterSse;
const channels = new Map<string, ReturnType<BetterSse['createChannel']>>();
let id = 0;

createServer((request, response) => {
  handle(request, response).catch((error: unknown) => response.destroy(error as Error));
}).listen(Number(port), '127.0.0.1');

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = request.url ?? '';
  let channel = channels.get(name);
  if (channel === undefined) {
    channel = createChannel();
    channels.set(name, channel);
  }
  if (request.method === 'GET') {
    channel.register(await createSession(request, response, { serializer: String, keepAlive: 15_000 }));
    return;
  }
  const data = await text(request);
  channel.broadcast(data, 'message', { eventId: String(++id) });
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
}
