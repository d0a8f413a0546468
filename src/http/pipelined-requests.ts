import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { BrokerError } from '../events/errors.ts';
import { STOP_PARSING } from '../stream/detach-socket.ts';
import { ServerResponse as Http1Response } from '../node/http.ts';
import { isRefused, markRefused } from './client-error.ts';
import { endWithProblem } from './problem.ts';

/** How many requests of one connection may wait for their answers. No client sends as many ahead on purpose. */
const MAX_AHEAD = 64;

/** A property of Node's HTTP server (node:_http_server, Node 24 to 26). */
interface HttpSocket {
  readonly parser?: { onIncoming?: () => number } | null;
}

const TOO_MANY = new BrokerError(
  'too-many-requests',
  `More than ${MAX_AHEAD} requests of this connection wait for their answers. Send fewer requests ahead.`,
  { retryAfter: 1 },
);

/** For a request in the form of HTTP/1.1 that claims another version. Node parses it and reports HTTP/2. */
const OTHER_VERSION = new BrokerError('bad-request', 'This is not a valid HTTP/1.1 request.');

/**
 * Bounds how many requests of one HTTP/1.1 connection are in progress. Node passes on all requests that have arrived, possibly
 * thousands of short ones in one turn of the event loop, before it sends any of their answers.
 */
export function boundPipelining({ server }: FastifyInstance): void {
  const listeners = server.listeners('request');
  const ahead = new WeakMap<Socket, number>();
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    // HTTP/2 has another class of response. The version in the request may be wrong, so the class decides.
    if (response instanceof Http1Response) {
      // This request arrived in the same packet as the refused one.
      if (isRefused(socket)) return;
      const before = ahead.get(socket) ?? 0;
      const fault = faultOf(request, before);
      if (fault !== undefined) {
        markRefused(socket);
        stopParsing(socket);
        // Node sends this answer after the answers to earlier requests.
        endWithProblem(response, fault);
        return;
      }
      ahead.set(socket, before + 1);
      response.once('close', () => ahead.set(socket, (ahead.get(socket) ?? 1) - 1));
    }
    for (const listener of listeners) listener.call(server, request, response);
  });
}

function faultOf({ httpVersionMajor }: IncomingMessage, ahead: number): BrokerError | undefined {
  if (httpVersionMajor > 1) return OTHER_VERSION;
  return ahead === MAX_AHEAD ? TOO_MANY : undefined;
}

/**
 * Stops parsing, because making a request object of each pipelined request takes tens of ms for one packet. Further input is
 * read and discarded: if a connection is closed with unread input, the system resets it, and the last answers can be lost.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as HttpSocket;
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => STOP_PARSING;
}
