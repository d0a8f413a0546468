import { CHANNEL_NAME } from '../../core/channel-name.ts';
import { CHANNEL_PATTERN } from '../../core/channel-pattern.ts';
import { EVENT_ID } from '../../core/event.ts';

/** Refuses `.` and `..`, because clients remove them from the path of a URL. */
const NO_DOT_SEGMENT = String.raw`^(?!\.{1,2}$)`;

// JSON Schemas for strings that the functions of core/ check. zod cannot derive these.

export const CHANNEL_NAME_SCHEMA = {
  description:
    '1 to 200 characters of `A-Z a-z 0-9 . _ : ~ -`. The names `.` and `..` are not allowed. The first use of a channel creates it.',
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
