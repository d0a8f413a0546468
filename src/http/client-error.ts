import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BrokerError } from '../events/errors.ts';
import type { OnRequestRefused } from '../events/request-refusal.ts';
import { isLongUpload } from './long-uploads.ts';
import { rawProblem } from './problem.ts';

interface HttpSocket extends Socket {
  /** The answer in progress. */
  _httpMessage?: ServerResponse | null;
  parser?: object | null;
}

/** Connections whose last answer is decided. It may wait for the answers to earlier requests. */
const REFUSED = new WeakSet<Socket>();

/** Marks a connection whose last answer is decided, so that nothing else on it is answered. */
export function markRefused(socket: Socket): void {
  REFUSED.add(socket);
}

export function isRefused(socket: Socket): boolean {
  return REFUSED.has(socket);
}

/**
 * Answers input that is not HTTP, or a request that is late. There is no request object, so this function writes the answer by
 * hand. It sends no CORS headers, because the Origin is unknown.
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  onRequestRefused: OnRequestRefused,
): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isLongUpload(socket)) return;
  if (!REFUSED.has(socket)) refuse(error, socket, onRequestRefused);
  // Node reports every further packet too. A client that sends more after its last answer is cut off once that is sent.
  else if (socket.writableEnded) socket.destroySoon();
}

function refuse(error: NodeJS.ErrnoException, socket: Socket, onRequestRefused: OnRequestRefused): void {
  const { _httpMessage: pending, parser } = socket as HttpSocket;
  if (error.code === 'ECONNRESET' || !socket.writable || !parser) {
    // After a failed TLS handshake there is no parser, and no client that could read an answer. A stream has no parser
    // either, and its client would take a second answer for a part of the stream.
    socket.destroy();
    return;
  }
  REFUSED.add(socket);
  if (pending && (pending.req.complete || pending.headersSent)) {
    // Earlier requests on the connection were complete. Their answers come first, in order: Node gives the connection to
    // the next one when one has finished. If the pending request itself broke off in its body, its answer is the last.
    pending.once('finish', () =>
      pending.req.complete ? refuse(error, socket, onRequestRefused) : socket.destroySoon(),
    );
    return;
  }
  const known = brokerErrorOf(error.code);
  if (known.code === 'headers-too-large') onRequestRefused('head-size', socket.remoteAddress);
  if (known.code === 'request-timeout') onRequestRefused('slow', socket.remoteAddress);
  socket.end(rawProblem(known, true));
}

function brokerErrorOf(code: string | undefined): BrokerError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new BrokerError(
      'headers-too-large',
      'The request line and headers are larger than SLUICE_MAX_HEADER_BYTES allows, or there are too many headers.',
    );
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new BrokerError('request-timeout', 'The request did not arrive in time.');
  return new BrokerError('bad-request', 'This is not a valid HTTP/1.1 request.');
}
