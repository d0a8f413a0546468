import type { BrokerErrorCode } from '../events/errors.ts';
import { WAIT } from './page-query.ts';
import { COUNT, EPOCH_MS, RFC_3339 } from './start-position.ts';
import { UNREADABLE_CURSOR } from './plain-stream.ts';
import { HEARTBEAT } from './stream-request.ts';
import { CHANNEL_PARAMETER } from '../http/api/channel-schemas.ts';
import { textOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation, Parameter } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';
import { STREAM_SCHEMA } from '../http/api/stream-events.ts';

const PARAMETERS: readonly Parameter[] = [
  CHANNEL_PARAMETER,
  {
    name: 'Last-Event-ID',
    in: 'header',
    description:
      'The cursor: the id of the last event that the client has seen, or `earliest` for all kept events. Browsers send this header when they reconnect. A cursor is never refused: an invalid or unknown one gets a `sluice:gap`.',
    schema: { type: 'string' },
  },
  {
    name: 'last_event_id',
    in: 'query',
    description: 'The cursor, for clients that cannot send the header. The header wins over it.',
    schema: { type: 'string' },
  },
  ...['lastEventId', 'lastEventID', 'last-event-id', 'Last-Event-ID'].map((name): Parameter => ({
    name,
    in: 'query',
    description:
      'The same as `last_event_id`, for clients that use this name. If there are several, the first in this list counts.',
    schema: { type: 'string' },
  })),
  {
    name: 'last',
    in: 'query',
    description:
      'Without a cursor: start with the newest N kept events. `last` and `since` together are a 400.',
    schema: textOf(COUNT),
  },
  {
    name: 'since',
    in: 'query',
    description:
      'Without a cursor: start with the first event at or after this time (RFC 3339, or milliseconds since 1970). `last` and `since` together are a 400.',
    schema: { anyOf: [{ ...textOf(RFC_3339), format: 'date-time' }, textOf(EPOCH_MS)] },
  },
  {
    name: 'state',
    in: 'query',
    description:
      "Without a cursor: start with the channel's state, which is the newest event of each key, in the order of their ids. After each `sluice:gap`, the state comes again. `state` takes no value, and cannot be used with `last` or `since`: both are a 400.",
    schema: { type: 'string', const: '' },
  },
  {
    name: 'heartbeat',
    in: 'query',
    description:
      'With `event`, heartbeats are `sluice:heartbeat` events, which a page can see, instead of comments. With a time from `1s` to `60s`, heartbeats are comments that come after this much silence, give or take a second, if that is sooner than `SLUICE_HEARTBEAT`. Any other value is a 400.',
    schema: { anyOf: [{ type: 'string', const: 'event' }, textOf(HEARTBEAT)] },
  },
  {
    name: 'wait',
    in: 'query',
    description:
      'A stream that ends by itself, for networks that hold an answer back until it is complete: `0s` to `60s`. The stream ends after `sluice:ready`, as soon as there is an event, a gap or the end of a channel, or when the time has passed. Come back at once with the last id. Any other value is a 400, and so is `plain` beside it.',
    schema: textOf(WAIT),
  },
];

const ONLY_PARAMETER: Parameter = {
  name: 'only',
  in: 'query',
  description:
    'With `active`, and without a cursor: 204 instead of a stream when the channel has no event or has ended. `earliest` does not count as a cursor here. Any other value is a 400.',
  schema: { type: 'string', const: 'active' },
};

const PLAIN_PARAMETER: Parameter = {
  name: 'plain',
  in: 'query',
  description:
    "Without a value: the stream has the publishers' events and comments, and no `sluice:` events, for clients that take every event for data. Where a gap would be said, the answer is a 410, or the stream is cut without its last chunk. Refusals that pass are a 429 or 503 instead of `sluice:closing`. A value is a 400, and so is `heartbeat=event` or `wait` beside it.",
  schema: { type: 'string', const: '' },
};

const REFUSALS: readonly BrokerErrorCode[] = [
  'invalid-channel',
  'invalid-query',
  'unauthorized',
  'forbidden',
];

/** Only a plain stream is refused with these. */
const PLAIN_REFUSALS: readonly BrokerErrorCode[] = [
  'history-gone',
  'log-unavailable',
  'draining',
  'overloaded',
];

const CREDENTIALS = ['none', 'token', 'tokenCookie', 'tokenQuery'] as const;

const NOTHING_LEFT: Operation['answers'][number] = {
  description:
    'The cursor is the end of the channel, or `only=active` finds no active channel. There is no stream.',
};

const STREAM = [
  'retry: 2000',
  ':',
  'id: 1763596800000-0',
  'event: created',
  'data: {"total":12}',
  '',
  'id: 1763596800000-0',
  'event: sluice:ready',
  'data: {"channels":{"news":"1763596800000-0"}}',
  '',
  '',
].join('\n');

/** `GET /events/:channel` */
export const SUBSCRIBE: Operation = {
  id: 'subscribe',
  tag: TAGS.subscribing,
  summary: 'Subscribe to a channel',
  description: [
    'Opens a stream for an `EventSource`, which reconnects by itself and sends the id of the last event it saw. The stream holds, in this order:',
    [
      '- `retry:` with the reconnection time of this connection, and a comment, at once',
      '- `sluice:gap`, if events may be missing',
      '- the kept events after the cursor, oldest first (none without a cursor); or, with `state`, the newest event of each key',
      '- `sluice:ready`, when all kept events have been sent',
      '- events as they are published, each with its `id`; and a heartbeat after `SLUICE_HEARTBEAT` (15 s) without other data. The heartbeat is a comment, or an event with `heartbeat=event`. `heartbeat=5s` asks for one after 5 s',
      '- `sluice:end`, when the channel has ended and all its events have been sent. The stream then ends. A request with the id of the end is a 204, at which an `EventSource` stops',
    ].join('\n'),
    'Before the broker ends a stream that may come back, it sends `sluice:closing` with the reason and the reconnection time. If it cannot serve a client now, for a reason that will pass, it answers with 200 and only `sluice:closing`. On any other status a browser gives up for good.',
    'With `wait` the stream ends by itself, with its last chunk and without `sluice:closing`, for networks that hold an answer back until it is complete.',
    '`last` and `since` cannot be used together. If the request has a cursor, both are ignored.',
    'The public channels (`SLUICE_PUBLIC_CHANNELS`, `SLUICE_CHANNELS`) need no credential. Other channels need a token that grants them.',
  ].join('\n\n'),
  credentials: CREDENTIALS,
  parameters: [...PARAMETERS, ONLY_PARAMETER, PLAIN_PARAMETER],
  answers: {
    204: NOTHING_LEFT,
    200: {
      description:
        'The stream, in UTF-8 (`charset=utf-8`). It is never compressed. Over HTTP/1.1 it is chunked: the broker sends the last chunk only when it ends the stream on purpose, so a lost connection can be told from an end. Over HTTP/1.0 the stream ends with the connection.',
      content: { mediaType: 'text/event-stream', schema: STREAM_SCHEMA },
    },
  },
  refusals: [...REFUSALS, ...PLAIN_REFUSALS, 'too-many-requests', 'keys-unavailable'],
  examples: [
    {
      name: 'kept',
      summary: 'Start with the newest event',
      parameters: { channel: 'news', last: '1' },
      status: 200,
      answer: STREAM,
    },
    {
      name: 'since',
      summary: 'Start at a time',
      parameters: { channel: 'news', since: '2025-11-20T00:00:00Z' },
      status: 200,
      answer: STREAM,
    },
    {
      name: 'resumed',
      summary: 'Resume from a cursor that this broker does not know: events may be missing',
      parameters: { channel: 'news', 'Last-Event-ID': '1763596799000-0' },
      status: 200,
      answer: [
        'retry: 2000',
        ':',
        'id: 1763596799000-0',
        'event: sluice:gap',
        'data: {"channel":"news","after":"1763596799000-0","before":"1763596800000-0"}',
        '',
        ...STREAM.split('\n').slice(2),
      ].join('\n'),
    },
    {
      name: 'wait',
      summary: 'Take what there is, in an answer that ends',
      parameters: { channel: 'news', last: '1', wait: '0s', heartbeat: '5s' },
      status: 200,
      answer: STREAM,
    },
    {
      name: 'unauthorized',
      summary: 'A channel that is not public, without a token',
      parameters: { channel: 'user.7' },
      status: 401,
      answer: problemExample(
        'unauthorized',
        'This channel is not public (SLUICE_PUBLIC_CHANNELS and SLUICE_CHANNELS do not make it public). Send a token that grants it.',
      ),
    },
    {
      name: 'historyGone',
      summary: 'A plain stream from a cursor that is not an event id',
      parameters: { channel: 'news', plain: '', 'Last-Event-ID': 'yesterday' },
      status: 410,
      answer: problemExample('history-gone', UNREADABLE_CURSOR),
    },
    {
      name: 'invalidQuery',
      summary: 'A value that is not a number',
      parameters: { channel: 'news', last: 'all' },
      status: 400,
      answer: problemExample('invalid-query', 'last= needs a number of events, such as last=10.'),
    },
  ],
};

/** `HEAD /events/:channel` */
export const SUBSCRIBE_HEAD: Operation = {
  id: 'subscribeHead',
  tag: TAGS.subscribing,
  summary: 'Ask whether a subscription would be allowed',
  description:
    'Sends the headers that `GET` would send, and opens no stream. Where `GET` answers with `sluice:closing` because of a credential, `HEAD` answers with 429 or 503.',
  credentials: CREDENTIALS,
  parameters: [...PARAMETERS, ONLY_PARAMETER, PLAIN_PARAMETER],
  answers: { 200: { description: 'The headers of the stream.' }, 204: NOTHING_LEFT },
  refusals: [...REFUSALS, 'history-gone', 'log-unavailable', 'too-many-requests', 'keys-unavailable'],
};
