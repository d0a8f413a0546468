import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** What Node's HTTP server keeps for a connection, as far as it has to be let go of (node:_http_server, Node 24 to 26). */
interface HttpParser {
  onIncoming: () => number;
  _consumed?: boolean;
  unconsume(): void;
  remove(): void;
  close(): void;
}

interface HttpSocket {
  parser?: HttpParser | null;
  server?: unknown;
  on?: unknown;
  addListener?: unknown;
  prependListener?: unknown;
  setEncoding?: unknown;
}

/**
 * Stands where the server was. Bytes behind the request, in the same packet, are still parsed when the socket is taken; what is
 * wrong with them Node tells the socket's server, and would end the process where there is none.
 */
const NOBODY = Object.freeze({ emit: () => true });

/** What the parser takes from its listener as the end of HTTP on this connection. */
export const STOP_PARSING = 2;

/**
 * Takes a socket away from Node's HTTP server once the head of its last answer is out, as Node itself does for an
 * upgrade. Nothing more will be parsed on it, and the parser, the request and the response are some 15 KiB that a
 * stream of hours would hold for nothing.
 *
 * The server no longer knows the connection: who takes it has to end it at shutdown. Bytes that the client still sends
 * are read and thrown away, so that its leaving is noticed. False, with nothing changed, where Node is not as expected;
 * everything works without, at that price.
 */
export function detachSocket(socket: Socket, response: ServerResponse): boolean {
  const http = socket as unknown as HttpSocket;
  const { parser } = http;
  if (!isParser(parser)) return false;

  // 'close' and the like lead back to the server's state for this connection, and to the request.
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
  }
  response.detachSocket(socket);
  // What follows in the same packet is not looked at: a request behind a stream can never be answered.
  parser.onIncoming = () => STOP_PARSING;
  if (parser._consumed === true) parser.unconsume();
  parser._consumed = false;
  parser.remove();
  http.parser = null;
  http.server = NOBODY;
  // The server's own versions of these would consume the socket anew for whoever listens to it. Replaced and not deleted: an
  // object that has lost a property is a dictionary to V8 from then on, and each write would look up all it needs in it.
  for (const name of ['on', 'addListener', 'prependListener', 'setEncoding'] as const) {
    if (Object.hasOwn(http, name)) http[name] = Socket.prototype[name];
  }
  // Its stack may still be ours: this may run while the request is being parsed.
  setImmediate(() => parser.close());

  socket.on('end', destroyThis);
  socket.resume();
  // A request behind ours may have made the server stop reading, below what `resume` knows of; then nobody would notice
  // that the reader has left until a heartbeat cannot reach it.
  if (!socket.destroyed) socket._read(0);
  return true;
}

/** Half of a connection is of no use to a stream. */
function destroyThis(this: Socket): void {
  this.destroy();
}

function isParser(parser: HttpParser | null | undefined): parser is HttpParser {
  return (
    typeof parser?.unconsume === 'function' &&
    typeof parser.remove === 'function' &&
    typeof parser.close === 'function'
  );
}
