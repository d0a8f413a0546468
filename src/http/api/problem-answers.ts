import type { BodyFault, BrokerErrorCode, ProblemMembers } from '../../events/errors.ts';
import { BrokerError } from '../../events/errors.ts';
import { STATUS, problemOf } from '../problem.ts';
import type { Problem } from '../problem.ts';
import { headersOf } from './answer-headers.ts';
import type { AnswerHeader } from './answer-headers.ts';
import { EVENT_ID_SCHEMA } from './channel-schemas.ts';
import type { JsonSchema } from './json-schema.ts';

/** What to do about each error, in CommonMark. `npm run docs` writes these texts to docs/protocol.md §6. */
export const PROBLEM_ADVICE: Readonly<Record<BrokerErrorCode, string>> = {
  'bad-request':
    'send valid HTTP: the request line, a header such as `Idempotency-Key`, or the percent-encoding of the path is invalid',
  'invalid-channel': 'use another channel name; the detail names the character that is not allowed',
  'invalid-event': 'use another type in `?event=`',
  'invalid-body': 'correct the body; `errors` says where it is invalid',
  'invalid-query': 'correct or remove the query parameter that the detail names',
  unauthorized:
    'send a valid publish key or token, or subscribe to a public channel; the detail says what is wrong with a token; if a token was revoked, get a new one',
  forbidden:
    "the credential is valid, but does not allow this: get a token that grants the channel; send `POST /tokens` with a publish key; look in with a publish key, or with a token whose `admin` is true; list the page's origin in `SLUICE_CORS_ORIGINS`, so that the broker accepts its cookie",
  'not-found': 'correct the path; with `DELETE /channels/:channel`, there is nothing to delete',
  'method-not-allowed': 'use a method of the `Allow` header',
  'channel-ended': 'publish to another channel, or delete the channel first, which forgets its end',
  'history-gone':
    'events after the cursor may be missing, and a plain stream cannot say so: load the state from your own backend again, then begin without a cursor',
  'tail-mismatch': 'read what the channel got since, and try again with its `tail`',
  'idempotency-key-reused': 'use a new `Idempotency-Key` for another body',
  'too-many-channels': 'publish to fewer channels',
  'state-too-large': 'read the state with `?state` on a stream',
  'request-timeout':
    'send the request line and headers within `SLUICE_HEAD_TIMEOUT` (15 s), and the whole request within 30 s; the broker may notice a late request up to 5 s later; an upload may take longer, and must not be silent for 60 s',
  'body-too-large':
    'send a smaller body, fewer events in it (10,000 at most) or fewer line breaks, or raise `SLUICE_MAX_BODY_BYTES`; at `/tokens` and `/disconnect` the limit is always 64 KiB',
  'unsupported-media-type':
    'send `application/json` to `/publish`, `/tokens` and `/disconnect` (or `application/x-ndjson` to `/publish`), and any type to `/publish/:channel`; do not compress the body',
  'expectation-failed': 'remove the header `Expect`, or send `Expect: 100-continue`',
  'too-many-requests': 'try again after `Retry-After`',
  'headers-too-large':
    'send a shorter URL and shorter headers, about `SLUICE_MAX_HEADER_BYTES` (16 KiB) together, and at most 1,000 headers',
  internal: "report the error; the broker's log has the cause",
  'tokens-unavailable': 'set `SLUICE_JWT_SECRET`; a broker that has only public keys cannot make tokens',
  'keys-unavailable':
    "try again after `Retry-After`: the broker has not been able to fetch `SLUICE_JWKS_URL` yet, or it does not know the token's `kid` and may not fetch the set again yet",
  'log-unavailable': 'try again after `Retry-After`, with the same `Idempotency-Key`',
  'log-full':
    "make room: the log's memory or disk is full; the broker has not published, revoked or disconnected anything",
  'revocations-full':
    'wait until some revocations have expired, revoke by channel instead of by `sub`, or disconnect without `revoke`; the broker has done nothing',
  draining: 'try again after `Retry-After`: this replica is shutting down, and another one answers',
  overloaded:
    'try again after `Retry-After`: this replica has as many streams and long polls as `SLUICE_MAX_CONNECTIONS` allows, or too many pages wait for slow readers',
};

/** Errors that any request may get. */
const OF_ANY_REQUEST: ReadonlySet<BrokerErrorCode> = new Set([
  'bad-request',
  'request-timeout',
  'expectation-failed',
  'headers-too-large',
  'internal',
]);
/** Errors that any request with a credential and a body may get. */
export const OF_A_BODY: readonly BrokerErrorCode[] = [
  'invalid-body',
  'unauthorized',
  'forbidden',
  'body-too-large',
  'unsupported-media-type',
  'too-many-requests',
  'keys-unavailable',
];
/** Errors of requests that match no operation: an unknown path, or an unknown method of a path. */
const OF_NO_OPERATION: ReadonlySet<BrokerErrorCode> = new Set(['not-found', 'method-not-allowed']);

const HEADERS: Readonly<Record<number, readonly AnswerHeader[]>> = {
  401: ['WWW-Authenticate'],
  405: ['Allow'],
  429: ['Retry-After', 'RateLimit', 'RateLimit-Policy'],
  503: ['Retry-After'],
};

const CODES = Object.keys(STATUS) as BrokerErrorCode[];
const typeOf = (code: BrokerErrorCode): string => `urn:sluice:problem:${code}`;

export const PROBLEM_SCHEMA: JsonSchema = {
  type: 'object',
  description: 'A problem document, RFC 9457.',
  properties: {
    type: { enum: CODES.map(typeOf) },
    title: { type: 'string', description: 'The reason phrase of the HTTP status.' },
    status: { enum: [...new Set(Object.values(STATUS))] },
    detail: { type: 'string', description: 'What is wrong and what to do about it, written for people.' },
    errors: {
      type: 'array',
      description: 'Present for an invalid body: the faults in it, 20 at most.',
      items: {
        type: 'object',
        properties: {
          pointer: {
            type: 'string',
            format: 'json-pointer',
            description: 'RFC 6901. Empty for the whole body.',
          },
          detail: { type: 'string' },
        },
        required: ['pointer', 'detail'],
      },
    },
    published: {
      type: 'integer',
      minimum: 0,
      description:
        'Present when a body of many events or an upload failed: how many of its events are in the log. When the log could not be reached, one more append may be.',
    },
    tail: {
      type: 'string',
      ...EVENT_ID_SCHEMA,
      description: "Present for `tail-mismatch`: the id of the channel's newest event.",
    },
    channel: {
      type: 'string',
      description:
        'The channel at fault, where a request may name several: the one that could not be published to, that may not be subscribed to, or whose name is invalid.',
    },
  },
  required: ['type', 'title', 'status', 'detail'],
};

export interface ProblemAnswer {
  readonly status: number;
  /** An OpenAPI response, or a reference to one. */
  readonly response: Readonly<Record<string, unknown>>;
}

/** Describes the problem documents of a route, with those that any request may get. Returns one for each status. */
export function problemAnswers(
  refusals: readonly BrokerErrorCode[],
  examplesOf: (status: number) => object,
): readonly ProblemAnswer[] {
  const codes = CODES.filter((code) => refusals.includes(code) || OF_ANY_REQUEST.has(code));
  const statuses = [...new Set(codes.map((code) => STATUS[code]))];
  return statuses.map((status) => {
    const those = codes.filter((code) => STATUS[code] === status);
    const [only = 'internal'] = those;
    const shared = those.length === 1 && OF_ANY_REQUEST.has(only) && only !== 'bad-request';
    return {
      status,
      response: shared
        ? { $ref: `#/components/responses/${only}` }
        : problemResponse(status, those, examplesOf(status)),
    };
  });
}

/** The problem documents that operations refer to, because they are the same everywhere, and those of no operation. */
export function sharedProblems(): Readonly<Record<string, object>> {
  const codes = CODES.filter((code) => OF_ANY_REQUEST.has(code) || OF_NO_OPERATION.has(code));
  return Object.fromEntries(
    codes
      .filter((code) => code !== 'bad-request')
      .map((code) => [code, problemResponse(STATUS[code], [code], {})]),
  );
}

/** Makes the answer of an example. */
export function problemExample(
  code: BrokerErrorCode,
  detail: string,
  faults: readonly BodyFault[] = [],
  members: ProblemMembers = {},
): Problem {
  return problemOf(new BrokerError(code, detail, { faults, members }));
}

function problemResponse(
  status: number,
  codes: readonly BrokerErrorCode[],
  examples: object,
): Readonly<Record<string, unknown>> {
  const schema = {
    $ref: '#/components/schemas/Problem',
    properties: { type: { enum: codes.map(typeOf) }, status: { const: status } },
  };
  return {
    description: codes.map((code) => `- \`${code}\`: ${PROBLEM_ADVICE[code]}`).join('\n'),
    ...headersOf(HEADERS[status] ?? []),
    content: { 'application/problem+json': { schema, ...examples } },
  };
}
