import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { BrokerErrorCode } from '../events/errors.ts';
import { EventType, IDEMPOTENCY_KEY, PublicationBody, WITHOUT_NUL } from '../publish/publication.ts';
import { CHANNEL_PARAMETER, EVENT_ID_SCHEMA } from '../http/api/channel-schemas.ts';
import { EVENT_ID } from '../events/event.ts';
import { MAX_PUBLICATIONS } from '../publish/publication-list.ts';
import { jsonSchemaOf, textOf } from '../http/api/json-schema.ts';
import type { JsonSchema } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation, Parameter } from '../http/api/operation.ts';
import { OF_A_BODY, problemExample } from '../http/api/problem-answers.ts';

const Acknowledgement = z.object({
  channel: z.string().meta(CHANNEL_NAME_SCHEMA),
  id: z.string().meta(EVENT_ID_SCHEMA),
});

const ListAcknowledgement = z.object({
  events: z.array(Acknowledgement).meta({ description: 'One for each event, in the order of the body.' }),
});

const BroadcastAcknowledgement = z.object({
  published: z.int().min(0).meta({ description: 'The number of channels.' }),
  complete: z.boolean().meta({ description: 'False when a replica did not say which channels it has.' }),
});

const UploadId = z.union([z.string().meta(EVENT_ID_SCHEMA), z.null()]);

const UploadAcknowledgement = z.object({
  channel: z.string().meta(CHANNEL_NAME_SCHEMA),
  published: z.int().min(0),
  first: UploadId.meta({ description: 'The id of the first event; null without events.' }),
  last: UploadId.meta({ description: 'The id of the last event; null without events.' }),
});

const IDEMPOTENCY_KEY_PARAMETER: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Makes the publish safe to repeat. When the same key comes again on the same channel within `SLUICE_IDEMPOTENCY_TTL` (10 minutes), the broker publishes nothing and returns the ids of the first publish. In a body of many events and in an upload, the key counts with the position of each event, so the broker publishes what is missing. The same key with another body is a 422. 1 to 200 visible ASCII characters.',
  schema: textOf(IDEMPOTENCY_KEY),
};

const IF_MATCH_PARAMETER: Parameter = {
  name: 'If-Match',
  in: 'header',
  description:
    "The broker publishes only if this is the id of the channel's newest event (`0-0` for a channel without an event), and otherwise answers 412. The id may stand in quotes. For a request of one channel. In an upload it concerns the first event.",
  schema: {
    type: 'string',
    pattern: `^(?:"${EVENT_ID.source.slice(1, -1)}"|${EVENT_ID.source.slice(1, -1)})$`,
  },
};

function answersOf(description: string, content: JsonSchema): Operation['answers'] {
  const headers = ['Idempotent-Replayed', 'RateLimit', 'RateLimit-Policy'] as const;
  return { 200: { description, headers, content: { mediaType: 'application/json', schema: content } } };
}

const REFUSALS: readonly BrokerErrorCode[] = [
  ...OF_A_BODY,
  'invalid-channel',
  'channel-ended',
  'tail-mismatch',
  'idempotency-key-reused',
  'log-unavailable',
  'log-full',
];

const acknowledged = (channel: string): z.infer<typeof Acknowledgement> => ({
  channel,
  id: '1763596800000-0',
});

const ONE = jsonSchemaOf(PublicationBody) as { readonly properties: JsonSchema };
const { channels: _channels, ...listFields } = ONE.properties;

/** What JSON Schema can say about several fields of a publication together. */
const BETWEEN_FIELDS: JsonSchema = {
  anyOf: [
    { required: ['data'] },
    { required: ['close'], properties: { close: { const: true } }, not: { required: ['event'] } },
  ],
};
const PUBLICATION_SCHEMA: JsonSchema = {
  ...ONE,
  ...BETWEEN_FIELDS,
  oneOf: [{ required: ['channel'] }, { required: ['channels'] }],
  dependentSchemas: {
    ifLast: {
      anyOf: [{ required: ['channel'] }, { properties: { channels: { type: 'array', maxItems: 1 } } }],
    },
  },
};
const LIST_SCHEMA: JsonSchema = {
  type: 'array',
  description:
    'Up to 10,000 events. The broker checks all of them before it publishes the first. No event may come after the `close` of its channel, and only the first event of a channel may have `ifLast`.',
  items: { ...ONE, ...BETWEEN_FIELDS, properties: listFields, required: ['channel'] },
  minItems: 1,
  maxItems: MAX_PUBLICATIONS,
};

/** `POST /publish` */
export const PUBLISH: Operation = {
  id: 'publish',
  tag: TAGS.publishing,
  summary: 'Publish events, as JSON',
  description:
    'One event to one or several channels, or a list of events. With the channels `*` the answer has their number.',
  credentials: ['publishKey', 'token'],
  parameters: [IDEMPOTENCY_KEY_PARAMETER, IF_MATCH_PARAMETER],
  body: {
    required: true,
    description:
      'Strict JSON in UTF-8. If a field comes twice, the last one counts. No string may hold half of a surrogate pair. As `application/x-ndjson`, each line is an event of a list; empty lines are skipped.',
    mediaType: 'application/json',
    schema: { anyOf: [PUBLICATION_SCHEMA, LIST_SCHEMA] },
    others: { 'application/x-ndjson': { type: 'string', description: 'A JSON object in each line.' } },
  },
  answers: answersOf(
    'The events are in the log. Every subscriber on every replica will get them, now or later.',
    {
      anyOf: [Acknowledgement, ListAcknowledgement, BroadcastAcknowledgement].map((one) => jsonSchemaOf(one)),
    },
  ),
  refusals: [...REFUSALS, 'too-many-channels'],
  examples: [
    {
      name: 'text',
      summary: 'Text',
      body: { channel: 'news', data: 'hello' },
      status: 200,
      answer: acknowledged('news'),
    },
    {
      name: 'json',
      summary: 'JSON with an event type, safe to repeat',
      parameters: { 'Idempotency-Key': 'order-42-created' },
      body: { channel: 'orders.42', event: 'created', data: { total: 12 } },
      status: 200,
      answer: acknowledged('orders.42'),
    },
    {
      name: 'channels',
      summary: 'The same event to several channels',
      body: { channels: ['news', 'news.de'], data: 'hello' },
      status: 200,
      answer: { events: [acknowledged('news'), acknowledged('news.de')] },
    },
    {
      name: 'everyChannel',
      summary: 'To every channel that has a subscriber',
      body: { channels: '*', event: 'maintenance', data: 'at noon' },
      status: 200,
      answer: { published: 2, complete: true },
    },
    {
      name: 'list',
      summary: 'Several events; the last one ends its channel',
      body: [
        { channel: 'answers.1', event: 'token', data: 'Hello' },
        { channel: 'answers.1', event: 'token', data: ' world', close: true },
      ],
      status: 200,
      answer: { events: [acknowledged('answers.1'), acknowledged('answers.1')] },
    },
    {
      name: 'invalidBody',
      summary: 'A mistyped field, so that another is missing',
      body: { channel: 'news', dat: 'hello' },
      status: 400,
      answer: problemExample('invalid-body', 'data is required.', [
        { pointer: '/data', detail: 'is required' },
        { pointer: '/dat', detail: 'is not a field of a publication' },
      ]),
    },
    {
      name: 'unauthorized',
      summary: 'Without credentials',
      body: { channel: 'news', data: 'hello' },
      status: 401,
      answer: problemExample('unauthorized', 'This needs Authorization: Bearer <publish key or token>.'),
    },
  ],
};

/** `POST /publish/:channel` */
export const PUBLISH_RAW: Operation = {
  id: 'publishRaw',
  tag: TAGS.publishing,
  summary: 'Publish the body as an event',
  description:
    'The body is one event, or, with `each`, an upload of many. A query parameter that is not listed, or comes twice, is a 400.',
  credentials: ['publishKey', 'token'],
  parameters: [
    CHANNEL_PARAMETER,
    {
      name: 'event',
      in: 'query',
      description: 'Not together with `each=event`.',
      schema: jsonSchemaOf(EventType),
    },
    {
      name: 'each',
      in: 'query',
      description:
        'The body is an upload of any length, and is published as it arrives. `line`: each line is an event; empty lines are skipped. `event`: the body is SSE, and its events are published with their types and data; their ids and those of the type `sluice:…` are dropped. The upload may be silent for 60 s. Each event may be as large as `SLUICE_MAX_BODY_BYTES`.',
      schema: { enum: ['line', 'event'] },
    },
    {
      name: 'close',
      in: 'query',
      description:
        'True: the channel ends after the event, or after an upload that arrived completely. With an empty body and without `event`, the channel ends without an event.',
      schema: { enum: ['true', 'false'] },
    },
    IDEMPOTENCY_KEY_PARAMETER,
    IF_MATCH_PARAMETER,
  ],
  body: {
    description:
      'Any text in UTF-8. The broker ignores its content type and delivers it unchanged. A body with NUL, or a body that is not UTF-8, is a 400. Without a body the data is empty. `SLUICE_MAX_BODY_BYTES` limits the body and also the delivered form, in which each line after the first takes 6 bytes more.',
    required: false,
    mediaType: '*/*',
    schema: { type: 'string', ...WITHOUT_NUL },
  },
  answers: answersOf(
    'The event, or the whole upload, is in the log. Every subscriber on every replica will get it, now or later.',
    { anyOf: [Acknowledgement, UploadAcknowledgement].map((one) => jsonSchemaOf(one)) },
  ),
  refusals: ['invalid-event', 'invalid-query', ...REFUSALS],
  examples: [
    {
      name: 'text',
      summary: 'Text',
      parameters: { channel: 'news' },
      body: 'hello',
      status: 200,
      answer: acknowledged('news'),
    },
    {
      name: 'typed',
      summary: 'JSON text with a type',
      parameters: { channel: 'orders.42', event: 'created', 'Idempotency-Key': 'order-42-created-again' },
      body: '{"total":12}',
      status: 200,
      answer: acknowledged('orders.42'),
    },
    {
      name: 'lines',
      summary: 'An upload, each line of which is an event',
      parameters: { channel: 'answers.2', each: 'line' },
      body: 'Hello\n world\n',
      status: 200,
      answer: { channel: 'answers.2', published: 2, first: '1763596800000-0', last: '1763596800000-1' },
    },
    {
      name: 'nul',
      summary: 'A character that is not allowed in text',
      parameters: { channel: 'news' },
      body: 'cut\u0000here',
      status: 400,
      answer: problemExample('invalid-body', 'data holds NUL, which is not allowed in text.', [
        { pointer: '/data', detail: 'holds NUL, which is not allowed in text' },
      ]),
    },
    {
      name: 'invalidChannel',
      summary: 'A channel name with a character that is not allowed',
      parameters: { channel: 'orders,42' },
      body: 'hello',
      status: 400,
      answer: problemExample(
        'invalid-channel',
        'The channel name holds "," (U+002C) at position 7; allowed are A-Z a-z 0-9 . _ : ~ -',
      ),
    },
  ],
};

/** `curl -T` sends PUT. */
export const PUBLISH_PUT: Operation = {
  ...PUBLISH_RAW,
  id: 'publishPut',
  summary: 'Publish the body as an event, or an upload, with PUT',
  description: 'The same as with POST, for programs such as `curl -T` that send uploads with PUT.',
};
