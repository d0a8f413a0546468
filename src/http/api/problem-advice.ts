import type { BrokerErrorCode } from '../../events/errors.ts';

/** What to do about each error. docs/protocol.md §6 has the same texts, and a test compares them. CommonMark. */
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
    "the credential is valid, but does not allow this: get a token that grants the channel; send `POST /tokens` with a publish key; list the page's origin in `SLUICE_CORS_ORIGINS`, so that the broker accepts its cookie",
  'not-found': 'correct the path',
  'method-not-allowed': 'use a method of the `Allow` header',
  'request-timeout':
    'send the request line and headers within `SLUICE_HEAD_TIMEOUT` (15 s), and the whole request within 30 s; the broker may notice a late request up to 5 s later',
  'body-too-large':
    'send a smaller body or fewer line breaks, or raise `SLUICE_MAX_BODY_BYTES`; at `/tokens` and `/disconnect` the limit is always 64 KiB',
  'unsupported-media-type':
    'send `application/json` to `/publish`, `/tokens` and `/disconnect`, and any type to `/publish/:channel`; do not compress the body',
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
    "make room: the log's memory is full; the broker has not published, revoked or disconnected anything",
  'revocations-full':
    'wait until some revocations have expired, revoke by channel instead of by `sub`, or disconnect without `revoke`; the broker has done nothing',
};
