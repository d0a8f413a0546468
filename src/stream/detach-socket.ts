import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';

/** The parts of Node's HTTP server's state for a connection that have to be released (node:_http_server, Node 22 to 26). */
interface HttpParser {
  onIncoming: (incoming: { upgrade: boolean | null }) => number;
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
 * Takes the place of the server. When the socket is detached, Node may still parse bytes behind the request in the same packet.
 * Node reports a parse error to the socket's server, and throws when there is none.
 */
const NOBODY = Object.freeze({ emit: () => true });

/** The listener returns this to make the parser stop: HTTP ends on this connection. */
export const STOP_PARSING = 2;

/**
 * Takes a socket away from Node's HTTP server once the head of its last answer is written, as Node does for an upgrade. Nothing
 * more is parsed on it. Parser, request and response take some 15 KiB, which a stream of hours would hold for nothing.
 *
 * The server no longer knows the connection, so the caller has to end it at shutdown, and when the client has left. Bytes that
 * the client sends are read and dropped, so that the socket emits 'end' or 'close' when the client leaves. Returns false and
 * changes nothing when Node's internals are not as expected; streams then work, but take more memory.
 */
export function detachSocket(socket: Socket, response: ServerResponse): boolean {
  const http = socket as unknown as HttpSocket;
  const { parser } = http;
  if (!isParser(parser)) return false;

  // These listeners hold the server's state for this connection, and the request.
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
  }
  response.detachSocket(socket);
  // Requests that follow in the same packet are dropped: behind a stream they could never be answered.
  parser.onIncoming = (incoming) => {
    // Otherwise Node 22 hands the socket over, or destroys it when nobody takes upgrades.
    incoming.upgrade = false;
    return STOP_PARSING;
  };
  if (parser._consumed === true) parser.unconsume();
  parser._consumed = false;
  parser.remove();
  http.parser = null;
  http.server = NOBODY;
  // The server's own versions of these methods would attach the parser again. They are replaced and not deleted: V8 turns an
  // object that has lost a property into a dictionary, which makes each write slower.
  for (const name of ['on', 'addListener', 'prependListener', 'setEncoding'] as const) {
    if (Object.hasOwn(http, name)) http[name] = Socket.prototype[name];
  }
  // Later, because the parser may be running: this function can be called while the request is parsed. The end of that
  // request puts the parser on the server's list again. In Node 22 a parser that is closed but listed crashes the process.
  setImmediate(() => {
    parser.remove();
    parser.close();
  });

  socket.resume();
  // A pipelined request may have made the server stop the handle, which `resume` does not know. Without this read the broker
  // would notice that the reader has left only when a heartbeat fails.
  if (!socket.destroyed) socket._read(0);
  return true;
}

function isParser(parser: HttpParser | null | undefined): parser is HttpParser {
  return (
    typeof parser?.unconsume === 'function' &&
    typeof parser.remove === 'function' &&
    typeof parser.close === 'function'
  );
}
