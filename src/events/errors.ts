import type { LogTrouble } from './log-trouble.ts';

/**
 * The codes of all errors. A code is part of the public contract: it is in the `type` of a problem document (RFC 9457), and
 * docs/protocol.md lists it. `http/problem.ts` has the HTTP status of each code.
 */
export type BrokerErrorCode =
  | 'bad-request'
  | 'invalid-channel'
  | 'invalid-event'
  | 'invalid-body'
  | 'invalid-query'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'method-not-allowed'
  | 'body-too-large'
  | 'unsupported-media-type'
  | 'expectation-failed'
  | 'too-many-requests'
  | 'headers-too-large'
  | 'request-timeout'
  | 'log-unavailable'
  | 'log-full'
  | 'internal'
  | 'tokens-unavailable'
  | 'keys-unavailable'
  | 'revocations-full'
  | 'channel-ended'
  | 'tail-mismatch'
  | 'idempotency-key-reused'
  | 'too-many-channels'
  | 'history-gone'
  | 'draining'
  | 'overloaded'
  | 'state-too-large';

/** One fault in a body: an RFC 6901 pointer to it, and a text that says what is wrong. */
export interface BodyFault {
  readonly pointer: string;
  readonly detail: string;
}

/** More members of a problem document, which RFC 9457 §3.2 calls extension members. */
export interface ProblemMembers {
  /** How many events of a body of many were published. */
  readonly published?: number;
  /** The channel's tail. */
  readonly tail?: string;
  /** The channel that the problem is about, where the request names several. */
  readonly channel?: string;
}

/** The only error class of the broker. `message` is for the client that sent the request and says what to do next. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: BrokerErrorCode;
  readonly faults: readonly BodyFault[];
  /** The whole seconds after which to try again; undefined when that is not known. */
  readonly retryAfter: number | undefined;
  /** Why the log cannot be used, when the log is the reason for the error. */
  readonly trouble: LogTrouble | undefined;
  readonly members: ProblemMembers;

  constructor(
    code: BrokerErrorCode,
    message: string,
    options: {
      cause?: unknown;
      faults?: readonly BodyFault[];
      retryAfter?: number;
      trouble?: LogTrouble;
      members?: ProblemMembers;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.faults = options.faults ?? [];
    this.retryAfter = options.retryAfter;
    this.trouble = options.trouble;
    this.members = options.members ?? {};
  }
}

/** A promise that rejects with the error of a function that may not throw. */
export async function rejected(error: unknown): Promise<never> {
  throw error;
}
