import type { ServerResponse } from 'node:http';
import type { FastifyReply } from 'fastify';
import { BrokerError } from '../events/errors.ts';
import type { BrokerErrorCode, ProblemMembers } from '../events/errors.ts';
import { STATUS_CODES } from '../node/http.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

/** The HTTP status of each error code. */
export const STATUS: Readonly<Record<BrokerErrorCode, number>> = {
  'bad-request': 400,
  'invalid-channel': 400,
  'invalid-event': 400,
  'invalid-body': 400,
  'invalid-query': 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'channel-ended': 409,
  'history-gone': 410,
  'tail-mismatch': 412,
  'request-timeout': 408,
  'body-too-large': 413,
  'state-too-large': 413,
  'unsupported-media-type': 415,
  'expectation-failed': 417,
  'idempotency-key-reused': 422,
  'too-many-channels': 422,
  'too-many-requests': 429,
  'headers-too-large': 431,
  internal: 500,
  'tokens-unavailable': 501,
  'keys-unavailable': 503,
  'log-unavailable': 503,
  'log-full': 503,
  'revocations-full': 503,
  draining: 503,
  overloaded: 503,
};

/** The `Retry-After` of a 503, in seconds. */
const RETRY_AFTER_S = 1;

/** The `WWW-Authenticate` of every 401 (RFC 9110 §11.6.1). */
const CHALLENGE = 'Bearer realm="sluice"';

const PROBLEM_TYPE = 'application/problem+json';

export interface Problem extends ProblemMembers {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** Makes a problem document (RFC 9457). */
export function problemOf(error: BrokerError): Problem {
  const status = STATUS[error.code];
  return {
    type: `urn:sluice:problem:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.message,
    ...(error.faults.length > 0 && { errors: error.faults }),
    ...error.members,
  };
}

export function sendProblem(reply: FastifyReply, error: BrokerError): FastifyReply {
  const problem = problemOf(error);
  if (problem.status === 401) reply.header('www-authenticate', CHALLENGE);
  const retryAfter = retryAfterOf(error, problem);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  // Sends bytes, because Fastify adds a charset to text, and JSON types have no charset (RFC 8259 §11).
  return reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}

function retryAfterOf({ retryAfter }: BrokerError, { status }: Problem): number | undefined {
  return retryAfter ?? (status === 503 ? RETRY_AFTER_S : undefined);
}

const SECURITY_LINES = Object.entries(SECURITY_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/**
 * Returns a complete answer as text, for a connection that Fastify does not handle.
 * @param headers more header lines, each ending in CRLF
 */
export function rawProblem(error: BrokerError, close: boolean, headers = ''): string {
  const problem = problemOf(error);
  const body = JSON.stringify(problem);
  const retryAfter = retryAfterOf(error, problem);
  const retry = retryAfter === undefined ? '' : `Retry-After: ${retryAfter}\r\n`;
  const authenticate = problem.status === 401 ? `WWW-Authenticate: ${CHALLENGE}\r\n` : '';
  return (
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: ${PROBLEM_TYPE}\r\n${retry}${authenticate}${headers}${SECURITY_LINES}` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nDate: ${new Date().toUTCString()}\r\n` +
    `Connection: ${close ? 'close' : 'keep-alive'}\r\n\r\n${body}`
  );
}

/** Answers with a problem without Fastify, and ends the connection. */
export function endWithProblem(response: ServerResponse, error: BrokerError): void {
  writeProblem(response, error, true);
  response.end();
}

/**
 * Writes a whole answer without Fastify, and does not end it.
 * @param close whether the connection ends after the answer; HTTP/2 has no such header
 */
export function writeProblem(response: ServerResponse, error: BrokerError, close: boolean): void {
  const { status, headers, body } = problemAnswer(error);
  response.writeHead(status, { ...headers, ...(close && { connection: 'close' }) });
  response.write(body);
}

/** The parts of a whole answer, with their names in lower case. */
export function problemAnswer(error: BrokerError): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
} {
  const problem = problemOf(error);
  const body = JSON.stringify(problem);
  const retryAfter = retryAfterOf(error, problem);
  const headers = {
    ...SECURITY_HEADERS,
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    ...(problem.status === 401 && { 'www-authenticate': CHALLENGE }),
    ...(retryAfter !== undefined && { 'retry-after': retryAfter }),
  };
  return { status: problem.status, headers, body };
}

/** The answer to a request that failed with an unexpected error. */
export const UNEXPECTED = new BrokerError(
  'internal',
  "The broker failed with an unexpected error. The broker's log has the cause.",
);

/** Translates an error of Fastify or Node. Returns undefined for an unexpected error. */
export function brokerErrorOf(error: unknown): BrokerError | undefined {
  if (error instanceof BrokerError) return error;
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new BrokerError('body-too-large', 'The body is larger than SLUICE_MAX_BODY_BYTES allows.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new BrokerError(
        'unsupported-media-type',
        'Send Content-Type: application/json or application/x-ndjson, or the bare data to /publish/<channel>.',
      );
    case 'FST_ERR_BAD_URL':
      return new BrokerError('bad-request', 'The percent-encoding of the path is invalid.');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new BrokerError('bad-request', 'The body is not as long as its Content-Length says.');
    default:
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500
        ? new BrokerError('bad-request', 'The request is invalid.')
        : undefined;
  }
}
