import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { BrokerErrorCode } from '../events/errors.ts';
import { IDEMPOTENCY_KEY, PublicationBody } from '../publish/publication.ts';
import { EVENT_ID_SCHEMA } from '../http/api/channel-schemas.ts';
import { EVENT_ID } from '../events/event.ts';
import { MAX_PUBLICATIONS } from '../publish/publication-list.ts';
import { jsonSchemaOf, textOf } from '../http/api/json-schema.ts';
import type { JsonSchema } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation, Parameter } from '../http/api/operation.ts';
import { OF_A_BODY, problemExample } from '../http/api/problem-answers.ts';

export const Acknowledgement = z.object({
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

export const IDEMPOTENCY_KEY_PARAMETER: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Makes the publish safe to repeat. When the same key comes again on the same channel within `SLUICE_IDEMPOTENCY_TTL` (10 minutes), the broker publishes nothing and returns the ids of the first publish. In a body of many events and in an upload, the key counts with the position of each event, so within this time the broker publishes what is missing. The same key with another body is a 422. 1 to 200 visible ASCII characters.',
  schema: textOf(IDEMPOTENCY_KEY),
};

export const IF_MATCH_PARAMETER: Parameter = {
  name: 'If-Match',
  in: 'header',
  description:
    "The broker publishes only if this is the id of the channel's newest event (`0-0` for a channel without an event), and otherwise answers 412. The id may stand in quotes. For a request of one channel. In an upload it concerns the first event.",
  schema: {
    type: 'string',
    pattern: `^(?:"${EVENT_ID.source.slice(1, -1)}"|${EVENT_ID.source.slice(1, -1)})$`,
  },
};

export function answersOf(description: string, content: JsonSchema): Operation['answers'] {
  const headers = ['Idempotent-Replayed', 'RateLimit', 'RateLimit-Policy'] as const;
  return { 200: { description, headers, content: { mediaType: 'application/json', schema: content } } };
}

export const REFUSALS: readonly BrokerErrorCode[] = [
  ...OF_A_BODY,
  'invalid-channel',
  'channel-ended',
  'tail-mismatch',
  'idempotency-key-reused',
  'log-unavailable',
  'log-full',
];

export const acknowledged = (channel: string): z.infer<typeof Acknowledgement> => ({
  channel,
  id: '1763596800000-0',
});

const ONE = jsonSchemaOf(PublicationBody) as { readonly properties: JsonSchema };
const { channels: _channels, ...listFields } = ONE.properties;

/** What JSON Schema can say about several fields of a publication together. */
const BETWEEN_FIELDS: JsonSchema = {
  anyOf: [
    { required: ['data'], properties: { delete: { const: false } } },
    {
      required: ['close'],
      properties: { close: { const: true }, delete: { const: false } },
      not: { anyOf: [{ required: ['event'] }, { required: ['key'] }] },
    },
    {
      required: ['key', 'delete'],
      properties: { delete: { const: true } },
      not: { anyOf: [{ required: ['data'] }, { required: ['event'] }] },
    },
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
      name: 'keyed',
      summary: 'The newest value of a key',
      body: { channel: 'prices', key: 'SLU', data: { price: 12 } },
      status: 200,
      answer: acknowledged('prices'),
    },
    {
      name: 'deleted',
      summary: 'Make the channel forget a key',
      body: { channel: 'prices', key: 'SLU', delete: true },
      status: 200,
      answer: acknowledged('prices'),
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
