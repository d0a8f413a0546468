import { CHANNEL_NAME } from '../../core/channel-name.ts';
import { CHANNEL_PATTERN } from '../../core/channel-pattern.ts';
import { EVENT_ID } from '../../core/event.ts';

/** A URL cannot carry `.` and `..`, so they are refused. */
const NO_DOT_SEGMENT = String.raw`^(?!\.{1,2}$)`;

// What zod cannot see of a string that core/ checks, in the words of JSON Schema.

export const CHANNEL_NAME_SCHEMA = {
  description:
    '1 to 200 characters of `A-Z a-z 0-9 . _ : ~ -`, but neither `.` nor `..`. A channel exists by being used.',
  pattern: NO_DOT_SEGMENT + CHANNEL_NAME.source.slice(1),
} as const;

export const CHANNEL_PATTERN_SCHEMA = {
  description: 'A channel name, a prefix followed by `*`, or `*` for every channel.',
  pattern: CHANNEL_PATTERN.source,
} as const;

export const EVENT_ID_SCHEMA = {
  description: '`<ms>-<seq>`, strictly increasing within a channel.',
  pattern: EVENT_ID.source,
} as const;
