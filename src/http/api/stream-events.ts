import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../../core/channel-name.ts';
import { CLOSING_REASONS } from '../../core/close-reason.ts';
import type { GapNotice } from '../../core/sink.ts';
import { EVENT_ID_SCHEMA } from './channel-schemas.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { JsonSchema } from './json-schema.ts';

const ChannelName = z.string().meta(CHANNEL_NAME_SCHEMA);
const EventId = z.string().meta(EVENT_ID_SCHEMA);

const Ready = z
  .object({
    channels: z
      .record(ChannelName, EventId)
      .meta({ description: 'The position in the channel, by its name.' }),
  })
  .meta({
    description:
      'From here on events arrive as they are published. The id of `sluice:ready` is the position of the subscriber, too.',
  });

const Gap = z
  .object({
    channel: ChannelName,
    after: EventId.nullable().meta({ description: 'The cursor; null when it could not be read.' }),
    before: EventId.nullable().meta({
      description: 'The id of the first event that follows; null when none is kept.',
    }),
  } satisfies Record<keyof GapNotice, z.ZodType>)
  .meta({
    description:
      'Something may be missing: load the state anew from your own backend, and go on with the events that follow. Its id is the cursor, where that could be read: a connection that breaks right after it is told again.',
  });

const Closing = z
  .object({
    reason: z.enum(CLOSING_REASONS).meta({ description: 'Why the stream ends, or was not opened.' }),
    retry: z.int().min(0).meta({ description: 'Milliseconds after which to come back, as in `retry:`.' }),
  })
  .meta({
    description:
      'The broker ends this stream, or does not open it now, and asks to come back. Its id is the cursor to come back with.',
  });

/** By hand: zod's own form of a time is an expression that nobody can read. */
const HEARTBEAT: JsonSchema = {
  type: 'string',
  format: 'date-time',
  description: 'With `heartbeat=event`: the stream is alive. The data is the time itself, and not JSON.',
};

/** The data of the events that the broker itself sends in a stream, as the components of the document. */
export const STREAM_EVENT_SCHEMAS: Readonly<Record<'Ready' | 'Gap' | 'Closing' | 'Heartbeat', JsonSchema>> = {
  Ready: jsonSchemaOf(Ready),
  Gap: jsonSchemaOf(Gap),
  Closing: jsonSchemaOf(Closing),
  Heartbeat: HEARTBEAT,
};

/** OpenAPI 3.1 has no words for the events of a stream: an extension names them, beside the text. */
export const STREAM_SCHEMA: JsonSchema = {
  type: 'string',
  description: 'Server-Sent Events (WHATWG HTML §9.2).',
  'x-events': {
    'sluice:gap': { $ref: '#/components/schemas/Gap' },
    'sluice:ready': { $ref: '#/components/schemas/Ready' },
    'sluice:closing': { $ref: '#/components/schemas/Closing' },
    'sluice:heartbeat': { $ref: '#/components/schemas/Heartbeat' },
  },
};
