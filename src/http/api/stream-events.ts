import { z } from 'zod';
import type { GapNotice } from '../../core/subscription.ts';
import { CHANNEL_NAME_SCHEMA, EVENT_ID_SCHEMA } from './channel-schemas.ts';
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
      'Something may be missing: load the state anew from your own backend, and go on with the events that follow. `sluice:gap` has no id.',
  });

/** The data of the events that the broker itself sends in a stream, as the components of the document. */
export const STREAM_EVENT_SCHEMAS: Readonly<Record<'Ready' | 'Gap', JsonSchema>> = {
  Ready: jsonSchemaOf(Ready),
  Gap: jsonSchemaOf(Gap),
};

/** OpenAPI 3.1 has no words for the events of a stream: an extension names them, beside the text. */
export const STREAM_SCHEMA: JsonSchema = {
  type: 'string',
  description: 'Server-Sent Events (WHATWG HTML §9.2).',
  'x-events': {
    'sluice:ready': { $ref: '#/components/schemas/Ready' },
    'sluice:gap': { $ref: '#/components/schemas/Gap' },
  },
};
