import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import { EventKey, EventType, WITHOUT_NUL } from '../publish/publication.ts';
import { CHANNEL_PARAMETER, EVENT_ID_SCHEMA } from '../http/api/channel-schemas.ts';
import { jsonSchemaOf } from '../http/api/json-schema.ts';
import { TAGS } from '../http/api/operation.ts';
import type { Operation } from '../http/api/operation.ts';
import { problemExample } from '../http/api/problem-answers.ts';
import {
  Acknowledgement,
  IDEMPOTENCY_KEY_PARAMETER,
  IF_MATCH_PARAMETER,
  REFUSALS,
  acknowledged,
  answersOf,
} from './publish-operations.ts';

const UploadId = z.union([z.string().meta(EVENT_ID_SCHEMA), z.null()]);

const UploadAcknowledgement = z.object({
  channel: z.string().meta(CHANNEL_NAME_SCHEMA),
  published: z.int().min(0),
  first: UploadId.meta({ description: 'The id of the first event; null without events.' }),
  last: UploadId.meta({ description: 'The id of the last event; null without events.' }),
});

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
      name: 'key',
      in: 'query',
      description: 'The event, or each event of an upload, is the newest value of this key.',
      schema: jsonSchemaOf(EventKey),
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
        'True: the channel ends after the event, or after an upload that arrived completely. With an empty body and without `event` and `key`, the channel ends without an event.',
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
