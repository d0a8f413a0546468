import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { BrokerErrorCode } from '../events/errors.ts';
import { EventType, IDEMPOTENCY_KEY, PublicationBody, WITHOUT_NUL } from '../publish/publication.ts';
import { CHANNEL_PARAMETER, EVENT_ID_SCHEMA } from '../http/api/channel-schemas.ts';
import { jsonBodyOf, jsonSchemaOf, textOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation, Parameter } from '../http/api/operation.ts';
import { OF_A_BODY, problemExample } from '../http/api/problem-answers.ts';

const Acknowledgement = z.object({
  channel: z.string().meta(CHANNEL_NAME_SCHEMA),
  id: z.string().meta(EVENT_ID_SCHEMA),
});

const IDEMPOTENCY_KEY_PARAMETER: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Makes the publish safe to repeat. When the same key comes again on the same channel within `SLUICE_IDEMPOTENCY_TTL` (10 minutes), the broker publishes nothing and returns the id of the first publish. 1 to 200 visible ASCII characters.',
  schema: textOf(IDEMPOTENCY_KEY),
};

const ANSWERS: Operation['answers'] = {
  200: {
    description: 'The event is in the log. Every subscriber on every replica will get it, now or later.',
    headers: ['Idempotent-Replayed', 'RateLimit', 'RateLimit-Policy'],
    content: jsonBodyOf(Acknowledgement),
  },
};

const REFUSALS: readonly BrokerErrorCode[] = [...OF_A_BODY, 'invalid-channel', 'log-unavailable', 'log-full'];

const acknowledged = (channel: string): z.infer<typeof Acknowledgement> => ({
  channel,
  id: '1763596800000-0',
});

/** `POST /publish` */
export const PUBLISH: Operation = {
  id: 'publish',
  tag: TAGS.publishing,
  summary: 'Publish an event, as JSON',
  credentials: ['publishKey', 'token'],
  parameters: [IDEMPOTENCY_KEY_PARAMETER],
  body: {
    required: true,
    description:
      'Strict JSON in UTF-8. If a field comes twice, the last one counts. No string may hold half of a surrogate pair.',
    ...jsonBodyOf(PublicationBody),
  },
  answers: ANSWERS,
  refusals: REFUSALS,
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
  description: 'A query parameter other than `event`, or `event` more than once, is a 400.',
  credentials: ['publishKey', 'token'],
  parameters: [
    CHANNEL_PARAMETER,
    { name: 'event', in: 'query', schema: jsonSchemaOf(EventType) },
    IDEMPOTENCY_KEY_PARAMETER,
  ],
  body: {
    description:
      'Any text in UTF-8. The broker ignores its content type and delivers it unchanged. A body with NUL, or a body that is not UTF-8, is a 400. Without a body the data is empty. `SLUICE_MAX_BODY_BYTES` limits the body and also the delivered form, in which each line after the first takes 6 bytes more.',
    required: false,
    mediaType: '*/*',
    schema: { type: 'string', ...WITHOUT_NUL },
  },
  answers: ANSWERS,
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
