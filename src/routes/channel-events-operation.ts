import { z } from 'zod';
import { CHANNEL_PARAMETER, EVENT_ID_SCHEMA, EVENT_OBJECT } from '../http/api/channel-schemas.ts';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import { jsonBodyOf, textOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';
import { LIMIT, WAIT } from './page-query.ts';
import { SUBSCRIBE } from './subscribe-operations.ts';

const Page = z.object({
  channel: z.string().meta(CHANNEL_NAME_SCHEMA),
  events: z.array(EVENT_OBJECT).meta({
    description:
      'Oldest first. The events `sluice:cleared` and `sluice:deleted` that the log keeps are among them.',
  }),
  next: z.string().meta({
    ...EVENT_ID_SCHEMA,
    description: 'The cursor to go on from, here or with a stream.',
  }),
  complete: z
    .boolean()
    .meta({ description: 'False where a stream would have a `sluice:gap`: events may be missing.' }),
  ended: z.boolean().meta({ description: 'Whether the channel has ended, and `next` is its end.' }),
});

/** Parameters of a stream that a page does not have, or describes itself. */
const OF_STREAMS = new Set(['channel', 'state', 'heartbeat', 'wait', 'only', 'plain']);

/** `GET` and `HEAD` of `/channels/:channel/events` */
export const READ_EVENTS: Operation = {
  id: 'readEvents',
  tag: TAGS.subscribing,
  summary: 'Read events as JSON, or wait for the next ones',
  description: [
    'Answers with a page of the kept events after the cursor. `next` is the cursor of the next page, and a stream goes on from it as well. With `wait` the answer is held until there is an event: long polling, for networks that break streams.',
    'Without a cursor, `last` or `since` the page is empty and `next` is the position of the newest event. A page may have fewer events than `limit` although more are kept: when they are more than 1 MiB, and with `wait`.',
    'A page of the past, with more events behind it, may be cached for a minute. Every other page is `no-store`.',
  ].join('\n\n'),
  credentials: SUBSCRIBE.credentials ?? [],
  parameters: [
    CHANNEL_PARAMETER,
    {
      name: 'after',
      in: 'query',
      description:
        'The cursor: `next` of the page before, the id of an event, or `earliest`. It wins over the others. A cursor is never refused: with an invalid or unknown one, `complete` is false.',
      schema: { type: 'string' },
    },
    ...(SUBSCRIBE.parameters ?? []).filter(({ name }) => !OF_STREAMS.has(name)),
    {
      name: 'limit',
      in: 'query',
      description: 'The largest number of events, 1 to 10000. 100 by default.',
      schema: textOf(LIMIT),
    },
    {
      name: 'wait',
      in: 'query',
      description:
        'How long to wait for an event, `0s` to `60s`. 0 by default. The answer also comes at a gap, at the end of the channel, and when the broker ends the request: then without events.',
      schema: textOf(WAIT),
    },
    {
      name: 'If-None-Match',
      in: 'header',
      description: 'The `ETag` of a page that may be cached: 304 when the page is still the same.',
      schema: { type: 'string' },
    },
  ],
  answers: {
    200: {
      description: 'The page.',
      headers: ['Sluice-Position', 'ETag'],
      content: jsonBodyOf(Page),
    },
    304: {
      description: 'The page is still the one of `If-None-Match`.',
      headers: ['Sluice-Position', 'ETag'],
    },
  },
  refusals: [
    'invalid-channel',
    'invalid-query',
    'unauthorized',
    'forbidden',
    'too-many-requests',
    'keys-unavailable',
    'log-unavailable',
    'draining',
    'overloaded',
  ],
  examples: [
    {
      name: 'page',
      summary: 'All kept events',
      parameters: { channel: 'news', after: 'earliest' },
      status: 200,
      answer: {
        channel: 'news',
        events: [{ id: '1763596800000-0', event: 'created', data: '{"total":12}' }],
        next: '1763596800000-0',
        complete: true,
        ended: false,
      },
    },
    {
      name: 'limit',
      summary: 'A limit that is too large',
      parameters: { channel: 'news', limit: '10001' },
      status: 400,
      answer: problemExample(
        'invalid-query',
        'limit= needs a number of events from 1 to 10000, such as limit=100.',
      ),
    },
  ],
};
