import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { BrokerError } from '../core/errors.ts';
import type { OnRefusedRequest } from '../core/refused-request.ts';
import { rawProblem } from './problem.ts';

interface HttpSocket extends Socket {
  /** The answer under way. */
  _httpMessage?: ServerResponse | null;
  parser?: object | null;
}

/** Connections that have been refused, or will be once earlier requests on them have been answered. */
const REFUSED = new WeakSet<Socket>();

/** Whatever else comes over this connection is not answered: its last answer is known. */
export function markRefused(socket: Socket): void {
  REFUSED.add(socket);
}

export function isRefused(socket: Socket): boolean {
  return REFUSED.has(socket);
}

/**
 * Answers what is not even HTTP, or not in time. There is no request yet, so the answer is written by hand, and there is
 * no Origin to allow.
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  onRefused: OnRefusedRequest,
): void {
  if (!REFUSED.has(socket)) refuse(error, socket, onRefused);
  // Node reports every further packet, too. Who sends more behind the last answer is cut off once that has left.
  else if (socket.writableEnded) socket.destroySoon();
}

function refuse(error: NodeJS.ErrnoException, socket: Socket, onRefused: OnRefusedRequest): void {
  const { _httpMessage: pending, parser } = socket as HttpSocket;
  if (error.code === 'ECONNRESET' || !socket.writable || !parser) {
    // Where TLS has failed there never was a parser, and nobody who could read an answer. A stream has none any more, and
    // a second answer would be taken for a part of it.
    socket.destroy();
    return;
  }
  REFUSED.add(socket);
  if (pending && (pending.req.complete || pending.headersSent)) {
    // Requests before this one were whole, and their answers come first, in order: Node gives the connection to the next
    // of them when one is out. Nothing comes behind the answer to a request that broke off in its own body.
    pending.once('finish', () =>
      pending.req.complete ? refuse(error, socket, onRefused) : socket.destroySoon(),
    );
    return;
  }
  const known = brokerErrorOf(error.code);
  if (known.code === 'headers-too-large') onRefused('head-size', socket.remoteAddress);
  if (known.code === 'request-timeout') onRefused('slow', socket.remoteAddress);
  socket.end(rawProblem(known, true));
}

function brokerErrorOf(code: string | undefined): BrokerError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new BrokerError(
      'headers-too-large',
      'The request line and headers are larger than SLUICE_MAX_HEADER_BYTES allows, or too many.',
    );
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new BrokerError('request-timeout', 'The request did not arrive in time.');
  return new BrokerError('bad-request', 'This is not a valid HTTP/1.1 request.');
}
