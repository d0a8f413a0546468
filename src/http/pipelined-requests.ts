import { ServerResponse } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { BrokerError } from '../core/errors.ts';
import { STOP_PARSING } from '../sse/detach-socket.ts';
import { isRefused, markRefused } from './client-error.ts';
import { endWithProblem } from './problem.ts';

/** Requests of one connection that may wait for their answers: more than any client sends ahead on purpose. */
const MAX_AHEAD = 64;

/** Of Node's HTTP server (node:_http_server, Node 24 to 26). */
interface HttpSocket {
  readonly parser?: { onIncoming?: () => number } | null;
}

const TOO_MANY = new BrokerError(
  'too-many-requests',
  `More than ${MAX_AHEAD} requests of this connection wait for their answers. Send fewer ahead.`,
  { retryAfter: 1 },
);

/** The words of HTTP/1.1 with the version of another: Node reads it, and says that it was HTTP/2. */
const OTHER_VERSION = new BrokerError('bad-request', 'This is not a valid HTTP/1.1 request.');

/**
 * Bounds what one connection of HTTP/1.1 has under way. Node hands on whatever has come, which in one turn of the event
 * loop can be thousands of short requests, and looks at their answers only when it is done with that.
 */
export function boundPipelining({ server }: FastifyInstance): void {
  const listeners = server.listeners('request');
  const ahead = new WeakMap<Socket, number>();
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    // Of HTTP/2 it is another class, whatever a request says of its version.
    if (response instanceof ServerResponse) {
      // Came in one piece with the one that was refused.
      if (isRefused(socket)) return;
      const before = ahead.get(socket) ?? 0;
      const fault = faultOf(request, before);
      if (fault !== undefined) {
        markRefused(socket);
        stopParsing(socket);
        // In its turn, behind the answers to the requests before it.
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
 * To make a request of each that has come already, only to leave it alone, would take tens of ms for one packet. What comes
 * then is thrown away and not left unread: the system resets a connection that is closed with something unread, and the last
 * answers can be lost with it.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as HttpSocket;
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => STOP_PARSING;
}
