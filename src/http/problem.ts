import { STATUS_CODES } from 'node:http';
import type { FastifyReply } from 'fastify';
import { BrokerError } from '../core/errors.ts';
import type { BrokerErrorCode } from '../core/errors.ts';

/** The one place where an error gets its status. */
const STATUS: Readonly<Record<BrokerErrorCode, number>> = {
  'bad-request': 400,
  'invalid-channel': 400,
  'invalid-event': 400,
  'invalid-body': 400,
  'invalid-query': 400,
  unauthorized: 401,
  'not-found': 404,
  'method-not-allowed': 405,
  'request-timeout': 408,
  'body-too-large': 413,
  'unsupported-media-type': 415,
  'headers-too-large': 431,
  internal: 500,
  'log-unavailable': 503,
  'log-full': 503,
  'revocations-full': 503,
};

/** Seconds after which a publisher may try again when the log is away. */
const RETRY_AFTER = 1;

export const PROBLEM_TYPE = 'application/problem+json';

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** An error as a problem document, RFC 9457. */
export function problemOf(error: BrokerError): Problem {
  const status = STATUS[error.code];
  return {
    type: `urn:sluice:problem:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.message,
    ...(error.faults.length > 0 && { errors: error.faults }),
  };
}

export function sendProblem(reply: FastifyReply, error: BrokerError): FastifyReply {
  const problem = problemOf(error);
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="sluice"');
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER);
  // Bytes, because Fastify adds a charset to text, which JSON types do not have (RFC 8259 §11).
  return reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(problem)));
}

/** What Fastify and Node throw, in our words. Undefined for what nobody foresaw. */
export function brokerErrorOf(error: unknown): BrokerError | undefined {
  if (error instanceof BrokerError) return error;
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new BrokerError('body-too-large', 'The body is larger than SLUICE_MAX_BODY_BYTES allows.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new BrokerError(
        'unsupported-media-type',
        'Send Content-Type: application/json, or the bare data to /publish/<channel>.',
      );
    case 'FST_ERR_BAD_URL':
      return new BrokerError('bad-request', 'The path is not valid percent-encoding.');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new BrokerError('bad-request', 'The body is not as long as its Content-Length says.');
    default:
      return statusCode !== undefined && statusCode >= 400 && statusCode < 500
        ? new BrokerError('bad-request', 'The request could not be read.')
        : undefined;
  }
}
