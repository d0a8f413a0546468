import type { BrokerErrorCode } from '../../core/errors.ts';
import { COUNT, EPOCH_MS, RFC_3339 } from '../start-position.ts';
import { CHANNEL_PARAMETER } from './channel-parameter.ts';
import { textOf } from './json-schema.ts';
import { TAGS } from './operation.ts';
import type { Operation, Parameter } from './operation.ts';
import { problemExample } from './problem-answers.ts';
import { STREAM_SCHEMA } from './stream-events.ts';

const PARAMETERS: readonly Parameter[] = [
  CHANNEL_PARAMETER,
  {
    name: 'Last-Event-ID',
    in: 'header',
    description:
      'The cursor: the id of the last event that was seen; or `earliest`, for all that is kept. Browsers send it by themselves when they reconnect. Never refused: one that means nothing gets a `sluice:gap`.',
    schema: { type: 'string' },
  },
  {
    name: 'last_event_id',
    in: 'query',
    description: 'The cursor, where there is no such header.',
    schema: { type: 'string' },
  },
  ...['lastEventId', 'lastEventID', 'last-event-id', 'Last-Event-ID'].map((name): Parameter => ({
    name,
    in: 'query',
    description: 'The same as `last_event_id`, for clients that call it so. The first of them counts.',
    schema: { type: 'string' },
  })),
  {
    name: 'last',
    in: 'query',
    description:
      'Without a cursor: begin with the newest so many events that are kept. Together with `since` it is a 400.',
    schema: textOf(COUNT),
  },
  {
    name: 'since',
    in: 'query',
    description:
      'Without a cursor: begin with the first event at or after this time, RFC 3339 or milliseconds since 1970. Together with `last` it is a 400.',
    schema: { anyOf: [{ ...textOf(RFC_3339), format: 'date-time' }, textOf(EPOCH_MS)] },
  },
  {
    name: 'heartbeat',
    in: 'query',
    description:
      '`event`: heartbeats are `sluice:heartbeat` events, which a page can see, in place of comments. Anything else is a 400.',
    schema: { type: 'string', const: 'event' },
  },
];

const REFUSALS: readonly BrokerErrorCode[] = [
  'invalid-channel',
  'invalid-query',
  'unauthorized',
  'forbidden',
];

const CREDENTIALS = ['none', 'token', 'tokenCookie', 'tokenQuery'] as const;

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
    'A stream for an `EventSource`, which reconnects by itself and says what it saw last. In this order:',
    [
      '- `retry:` with the reconnection time of this connection, and a comment, at once',
      '- `sluice:gap`, if something may be missing',
      '- the kept events after the cursor, oldest first; without one, none',
      '- `sluice:ready`: all that was kept has been sent',
      '- events as they are published, each with its `id`; and a heartbeat, which is a comment unless `heartbeat=event` asks for an event, after `SLUICE_HEARTBEAT` (15 s) without anything else',
    ].join('\n'),
    'Before the broker ends a stream that may come back it sends `sluice:closing`, with the reason and the reconnection time. Who cannot be served now, for a reason that will pass, gets a 200 with `sluice:closing` and the end of the stream: on any other status a browser gives up for good.',
    '`last` and `since` exclude each other. Beside a cursor, wherever it comes from, neither is looked at.',
    'Channels among `SLUICE_PUBLIC_CHANNELS` need no credentials, the others a token that grants them.',
  ].join('\n\n'),
  credentials: CREDENTIALS,
  parameters: PARAMETERS,
  answers: {
    200: {
      description:
        'The stream, in UTF-8 (`charset=utf-8`). It is never compressed. Over HTTP/1.1 it is chunked: one that the broker ended on purpose has its last chunk, one that was cut has none. Over HTTP/1.0 the end of the connection is its end.',
      content: { mediaType: 'text/event-stream', schema: STREAM_SCHEMA },
    },
  },
  refusals: REFUSALS,
  examples: [
    {
      name: 'kept',
      summary: 'Beginning with the newest event',
      parameters: { channel: 'news', last: '1' },
      status: 200,
      answer: STREAM,
    },
    {
      name: 'since',
      summary: 'Beginning at a time',
      parameters: { channel: 'news', since: '2025-11-20T00:00:00Z' },
      status: 200,
      answer: STREAM,
    },
    {
      name: 'resumed',
      summary: 'After a cursor; one that this broker does not know, so that something may be missing',
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
      name: 'unauthorized',
      summary: 'A channel that is not public, without a token',
      parameters: { channel: 'user.7' },
      status: 401,
      answer: problemExample(
        'unauthorized',
        'This channel is not public: it is not among SLUICE_PUBLIC_CHANNELS: send a token that grants it.',
      ),
    },
    {
      name: 'invalidQuery',
      summary: 'A number that is none',
      parameters: { channel: 'news', last: 'all' },
      status: 400,
      answer: problemExample('invalid-query', 'last= takes a number of events, such as last=10.'),
    },
  ],
};

/** `HEAD /events/:channel` */
export const SUBSCRIBE_HEAD: Operation = {
  id: 'subscribeHead',
  tag: TAGS.subscribing,
  summary: 'Ask whether a subscription would be allowed',
  description:
    'The head of what `GET` would answer. It subscribes nobody; and what passes is a 429 or a 503 here, because there is no stream to end.',
  credentials: CREDENTIALS,
  parameters: PARAMETERS,
  answers: { 200: { description: 'The head of the stream.' } },
  refusals: [...REFUSALS, 'too-many-requests', 'keys-unavailable'],
};
