import { BrokerError } from './errors.ts';

declare const brand: unique symbol;

/** A channel's name that has been checked: 1 to 200 characters of `A-Z a-z 0-9 . _ : ~ -` (docs/protocol.md §1). */
export type ChannelName = string & { readonly [brand]: 'ChannelName' };

const MAX_CHANNEL_NAME_LENGTH = 200;

/** Matches all channel names, and also `.` and `..`, which are not channel names. */
const CHANNEL_NAME = /^[A-Za-z0-9._:~-]{1,200}$/;
/** The first characters of a channel's name, or none. */
export const CHANNEL_PREFIX = /^[A-Za-z0-9._:~-]{0,200}$/;
/** {@link parseChannelName} in the words of JSON Schema. A URL cannot carry `.` and `..`, so both are refused. */
export const CHANNEL_NAME_SCHEMA = {
  description:
    '1 to 200 characters of `A-Z a-z 0-9 . _ : ~ -`, but neither `.` nor `..`. The first use of a channel creates it.',
  pattern: String.raw`^(?!\.{1,2}$)` + CHANNEL_NAME.source.slice(1),
} as const;
const FOREIGN = /[^A-Za-z0-9._:~-]/u;

/**
 * Checks a name that has already been percent-decoded.
 * @throws BrokerError `invalid-channel`, naming the character that is not allowed
 */
export function parseChannelName(text: string): ChannelName {
  if (CHANNEL_NAME.test(text)) {
    // Browsers remove dot segments from a URL's path (RFC 3986 §5.2.4), also percent-encoded ones. Such a channel could be
    // published to but never opened.
    if (text === '.' || text === '..') {
      throw new BrokerError(
        'invalid-channel',
        `The channel name "${text}" is a dot segment, which a URL cannot carry.`,
      );
    }
    return text as ChannelName;
  }
  if (text === '')
    throw new BrokerError('invalid-channel', 'The channel name is empty; it takes 1 to 200 characters.');
  const foreign = FOREIGN.exec(text);
  if (foreign) {
    throw new BrokerError(
      'invalid-channel',
      `The channel name holds ${describe(foreign[0])} at position ${foreign.index + 1}; allowed are A-Z a-z 0-9 . _ : ~ -`,
    );
  }
  throw new BrokerError(
    'invalid-channel',
    `The channel name has ${text.length} characters; ${MAX_CHANNEL_NAME_LENGTH} are allowed.`,
  );
}

function describe(character: string): string {
  const codePoint = character.codePointAt(0) ?? 0;
  const hex = `U+${codePoint.toString(16).toUpperCase().padStart(4, '0')}`;
  const printable = /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character);
  return printable ? `"${character}" (${hex})` : hex;
}
