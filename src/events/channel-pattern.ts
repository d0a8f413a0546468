import type { ChannelName } from './channel-name.ts';

/** A name, a prefix followed by `*`, or `*` alone (docs/protocol.md §7). */
export type ChannelPattern = string & { readonly pattern: unique symbol };

export const EVERY_CHANNEL = '*' as ChannelPattern;

export const CHANNEL_PATTERN = /^(?:\*|[A-Za-z0-9._:~-]{1,200}\*?)$/;

/** Undefined when the text is not a pattern: it is empty, has a star that is not at the end, or a character that no name has. */
export function parseChannelPattern(text: string): ChannelPattern | undefined {
  return CHANNEL_PATTERN.test(text) ? (text as ChannelPattern) : undefined;
}

export function matchesAny(patterns: readonly ChannelPattern[], channel: ChannelName): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : (channel as string) === pattern,
  );
}
