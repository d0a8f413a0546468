import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../../events/channel-name.ts';
import { CHANNEL_PATTERN } from '../../events/channel-pattern.ts';
import { EVENT_ID } from '../../events/event.ts';
import type { Parameter } from './operation.ts';

// JSON Schemas of texts that events/ checks in code, which zod cannot turn into a schema.

export const CHANNEL_PATTERN_SCHEMA = {
  description: 'A channel name, a prefix followed by `*`, or `*` for every channel.',
  pattern: CHANNEL_PATTERN.source,
} as const;

export const EVENT_ID_SCHEMA = {
  description: '`<ms>-<seq>`, strictly increasing within a channel.',
  pattern: EVENT_ID.source,
} as const;

/** An event as JSON. */
export const EVENT_OBJECT = z.object({
  id: z.string().meta(EVENT_ID_SCHEMA),
  event: z.string().optional().meta({ description: 'The type; left out for an event without one.' }),
  data: z.string().meta({ description: 'The text as it was published.' }),
  key: z.string().optional().meta({ description: 'Left out for an event without a key.' }),
});

export const CHANNEL_PARAMETER: Parameter = {
  name: 'channel',
  in: 'path',
  schema: { type: 'string', ...CHANNEL_NAME_SCHEMA },
};
