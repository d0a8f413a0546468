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

/**
 * Answers what is not even HTTP, or not in time. There is no request yet, so the answer is written by hand, and there is
 * no Origin to allow.
 */
export function answerClientError(
  error: NodeJS.ErrnoException,
  socket: Socket,
  onRefused: OnRefusedRequest,
): void {
  const { _httpMessage: pending, parser } = socket as HttpSocket;
  if (error.code === 'ECONNRESET' || !socket.writable || !parser || pending?.headersSent === true) {
    // Where TLS has failed there never was a parser, and nobody who could read an answer. Behind a head that is out, a second answer would be taken for a part of the first: of a stream, say, which has no
    // parser any more.
    socket.destroy();
    return;
  }
  if (pending?.req.complete === true) {
    // The request before was whole, and its own answer comes first.
    pending.once('finish', () => answerClientError(error, socket, onRefused));
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
