import type { BrokerErrorCode } from '../../core/errors.ts';

/** What to do about each refusal, as docs/protocol.md §6 says it (a test compares them). CommonMark. */
export const PROBLEM_ADVICE: Readonly<Record<BrokerErrorCode, string>> = {
  'bad-request':
    'send valid HTTP: the request line, a header such as `Idempotency-Key`, or the percent-encoding of the path cannot be read',
  'invalid-channel': 'use another name; the detail names the character that does not belong',
  'invalid-event': 'use another type in `?event=`',
  'invalid-body': 'correct the body; `errors` says where',
  'invalid-query': 'correct or leave out the query parameter that the detail names',
  unauthorized:
    'send a valid publish key or token, or subscribe to a channel that is public, or get a new token in place of one that was revoked; the detail says what is wrong with a token',
  forbidden:
    "the credentials are good, but not for this: get a token that grants the channel; `POST /tokens` with a publish key; list the page's origin in `SLUICE_CORS_ORIGINS` to have its cookie taken",
  'not-found': 'correct the path',
  'method-not-allowed': 'use a method of the `Allow` header',
  'request-timeout':
    'send the request line and headers within `SLUICE_HEAD_TIMEOUT` (15 s), the whole request within 30 s; it may be noticed up to 5 s late',
  'body-too-large':
    'publish less at once, or with fewer line breaks, or raise `SLUICE_MAX_BODY_BYTES`; 64 KiB at `/tokens` and `/disconnect` whatever it is',
  'unsupported-media-type':
    'send `application/json` to `/publish`, `/tokens` and `/disconnect`, anything to `/publish/:channel`; never compressed',
  'expectation-failed': 'leave out `Expect`, or send `100-continue`',
  'too-many-requests': 'try again after `Retry-After`',
  'headers-too-large':
    'send a shorter URL and shorter headers, about `SLUICE_MAX_HEADER_BYTES` (16 KiB) in all; or fewer: 1,000 at most',
  internal: "report it; the broker's log has the reason",
  'tokens-unavailable': 'set `SLUICE_JWT_SECRET`; a broker that only has public keys cannot make tokens',
  'keys-unavailable':
    "try again after `Retry-After`: `SLUICE_JWKS_URL` has not been readable so far, or the token's `kid` is not known and the set cannot be fetched anew yet",
  'log-unavailable': 'try again after `Retry-After`, with the same `Idempotency-Key`',
  'log-full': "make room: the log's memory is used up, nothing was published, revoked or disconnected",
  'revocations-full':
    'wait until some have expired, revoke by channel instead of by `sub`, or disconnect without `revoke`; nothing was done',
};
