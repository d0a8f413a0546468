import { CHANNEL_PATTERN } from '../../events/channel-pattern.ts';
import { EVENT_ID } from '../../events/event.ts';

// What zod cannot see of a string that core/ checks, in the words of JSON Schema.

export const CHANNEL_PATTERN_SCHEMA = {
  description: 'A channel name, a prefix followed by `*`, or `*` for every channel.',
  pattern: CHANNEL_PATTERN.source,
} as const;

export const EVENT_ID_SCHEMA = {
  description: '`<ms>-<seq>`, strictly increasing within a channel.',
  pattern: EVENT_ID.source,
} as const;
