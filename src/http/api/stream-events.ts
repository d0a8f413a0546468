import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../../events/channel-name.ts';
import { CLOSING_REASONS } from '../../events/close-reason.ts';
import type { GapNotice } from '../../delivery/sink.ts';
import { EVENT_ID_SCHEMA } from './channel-schemas.ts';
import { jsonSchemaOf } from './json-schema.ts';
import type { JsonSchema } from './json-schema.ts';

const ChannelName = z.string().meta(CHANNEL_NAME_SCHEMA);
const EventId = z.string().meta(EVENT_ID_SCHEMA);

const Ready = z
  .object({
    channels: z
      .record(ChannelName, EventId)
      .meta({ description: 'The position in each channel, by the channel name.' }),
  })
  .meta({
    description:
      "From here on, events arrive as they are published. The id of `sluice:ready` is the subscriber's position.",
  });

const Gap = z
  .object({
    channel: ChannelName,
    after: EventId.nullable().meta({ description: 'The cursor. Null when the cursor is invalid.' }),
    before: EventId.nullable().meta({
      description: 'The id of the first event that follows. Null when no event is kept.',
    }),
  } satisfies Record<keyof GapNotice, z.ZodType>)
  .meta({
    description:
      'Events may be missing. Load the state from your own backend again, and then go on with the events that follow. The id of `sluice:gap` is the cursor, if the cursor is valid. So a connection that breaks right after the gap gets the gap again.',
  });

const End = z.object({ channel: ChannelName }).meta({
  description:
    'The channel has ended, and no event will follow. The stream ends with the last of its channels. A client that comes back with this id gets a 204.',
});

const Cleared = z.object({ channel: ChannelName }).meta({
  description: 'All earlier events of the channel were deleted. It comes in order, like every event.',
});

const Deleted = z.object({ channel: ChannelName, key: z.string().meta({ description: 'The key.' }) }).meta({
  description:
    'The channel has forgotten the key (`"delete": true`). It comes in order, like every event. A page that shows the state forgets the key, too.',
});

const Closing = z
  .object({
    reason: z.enum(CLOSING_REASONS).meta({ description: 'Why the stream ends, or was not opened.' }),
    retry: z
      .int()
      .min(0)
      .meta({ description: 'How many milliseconds to wait before coming back, as in `retry:`.' }),
  })
  .meta({
    description:
      'The broker ends this stream, or cannot open it now, and asks the client to come back. The id of `sluice:closing` is the cursor to come back with.',
  });

/** Written by hand, because zod describes a time by an unreadable regular expression. */
const HEARTBEAT: JsonSchema = {
  type: 'string',
  format: 'date-time',
  description:
    'Sent with `heartbeat=event` to show that the stream is alive. The data is the bare time, not JSON.',
};

/** Schemas for the data of the broker's own events, as components of the document. */
export const STREAM_EVENT_SCHEMAS: Readonly<
  Record<'Ready' | 'Gap' | 'End' | 'Cleared' | 'Deleted' | 'Closing' | 'Heartbeat', JsonSchema>
> = {
  Ready: jsonSchemaOf(Ready),
  Gap: jsonSchemaOf(Gap),
  End: jsonSchemaOf(End),
  Cleared: jsonSchemaOf(Cleared),
  Deleted: jsonSchemaOf(Deleted),
  Closing: jsonSchemaOf(Closing),
  Heartbeat: HEARTBEAT,
};

/** OpenAPI 3.1 cannot describe the events of a stream, so the extension `x-events` lists them. */
export const STREAM_SCHEMA: JsonSchema = {
  type: 'string',
  description: 'Server-Sent Events (WHATWG HTML §9.2).',
  'x-events': {
    'sluice:gap': { $ref: '#/components/schemas/Gap' },
    'sluice:ready': { $ref: '#/components/schemas/Ready' },
    'sluice:end': { $ref: '#/components/schemas/End' },
    'sluice:cleared': { $ref: '#/components/schemas/Cleared' },
    'sluice:deleted': { $ref: '#/components/schemas/Deleted' },
    'sluice:closing': { $ref: '#/components/schemas/Closing' },
    'sluice:heartbeat': { $ref: '#/components/schemas/Heartbeat' },
  },
};
