import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { BodyFault } from '../events/errors.ts';
import { EVENT_ID, parseEventId } from '../events/event.ts';
import type { EventId, NewEvent } from '../events/event.ts';
import { deletedEvent } from '../events/record.ts';
import { channelOf, checked, invalidBody } from './body-faults.ts';
import { MAX_LIST_BYTES, decodeUtf8, readJson } from './json-body.ts';

/** A checked publish of one event to one channel. */
export interface Publication {
  readonly channel: ChannelName;
  readonly channels?: undefined;
  /** Undefined when the channel ends without an event. */
  readonly event: NewEvent | undefined;
  /** Whether the channel ends after the event. */
  readonly end: boolean;
  /** The event is appended only if this is the channel's tail. */
  readonly ifLast: EventId | undefined;
}

/** A checked publish of one event to several channels. */
export interface Broadcast {
  /** `*` stands for every channel that has a subscriber. */
  readonly channels: readonly ChannelName[] | '*';
  readonly event: NewEvent | undefined;
  /** Set instead of `event` when the channels forget a key. */
  readonly deletedKey: string | undefined;
  readonly end: boolean;
  /** Set only for a single channel. */
  readonly ifLast: EventId | undefined;
}

/** The body of a publish request with one event. */
export interface PublishBody {
  /** The channel in the path. Undefined when the body is JSON and names the channel. */
  readonly channel: ChannelName | undefined;
  /** The event's type, when the path names the channel. */
  readonly type: string | undefined;
  /** The event's key, when the path names the channel. */
  readonly key?: string | undefined;
  /** Whether the query ends the channel. */
  readonly end?: boolean;
  readonly bytes: Buffer | undefined;
}

/** The largest number of channels in one publication. */
const MAX_CHANNELS = 1_000;

/** 1 to 200 visible ASCII characters, RFC 5234 `VCHAR`. */
const VISIBLE_ASCII = /^[\x21-\x7e]{1,200}$/;

export const IDEMPOTENCY_KEY = VISIBLE_ASCII;

/** The key of an event. */
export const EVENT_KEY = VISIBLE_ASCII;

export const EventKey = z
  .string('must be 1 to 200 visible ASCII characters')
  .regex(EVENT_KEY, 'must be 1 to 200 visible ASCII characters')
  .meta({
    description:
      'The event is the newest value of this key. A channel keeps the newest event of each key beside its history (`?state`).',
  });

export const EventType = z
  .string('must be a string')
  .min(1, 'must have 1 to 200 characters')
  .max(200, 'must have 1 to 200 characters')
  // oxlint-disable-next-line no-control-regex -- the expression is there to find control characters
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u, 'must not hold control characters')
  .regex(/^(?!sluice:)/, 'must not begin with "sluice:", which is reserved for events of the broker')
  .meta({
    description:
      'The type of the event, which a page gives to `addEventListener`. An event without a type arrives as `message`. A type has no control characters, and does not begin with `sluice:`, which is reserved for the broker.',
  });

/** JSON Schema: a string must not hold NUL. JSON Schema applies a pattern only to strings. */
export const WITHOUT_NUL = { pattern: String.raw`^[^\u0000]*$` } as const;

const Data = z
  .custom<unknown>(() => true)
  .optional()
  .meta({
    ...WITHOUT_NUL,
    description:
      'Required, but for the end of a channel without an event. A string is delivered as it is. It must not hold NUL. Any other JSON value is delivered as the JSON text that was sent, without the blanks between its tokens. It may be nested 200 levels deep. `SLUICE_MAX_BODY_BYTES` also limits the delivered form, in which each line after the first takes 6 bytes more.',
  });

const Close = z.boolean('must be true or false').optional().meta({
  description:
    'True: the event is the last of its channel. Without `data` the channel ends without an event. Later publishes to the channel are a 409.',
});

const Delete = z.boolean('must be true or false').optional().meta({
  description:
    'True, with `key` and without `data` and `event`: the channel forgets the newest event of the key. Subscribers get an event `sluice:deleted`.',
});

const NO_EVENT_ID = 'must be an event id, such as 1763596800000-0';

const IfLast = z
  .string(NO_EVENT_ID)
  .refine((text) => parseEventId(text) !== undefined, NO_EVENT_ID)
  .optional()
  .meta({
    pattern: EVENT_ID.source,
    description:
      "The broker publishes the event only if this is the id of the channel's newest event (`0-0` for a channel without an event), and otherwise answers 412. In a list only the first event of a channel may have it.",
  });

const Channels = z
  .custom<unknown>(
    (value) => value === '*' || (Array.isArray(value) && value.length > 0 && value.length <= MAX_CHANNELS),
    `must be "*" or a list of 1 to ${MAX_CHANNELS} channel names`,
  )
  .optional()
  .meta({
    anyOf: [
      { const: '*' },
      {
        type: 'array',
        items: { type: 'string', ...CHANNEL_NAME_SCHEMA },
        minItems: 1,
        maxItems: MAX_CHANNELS,
        uniqueItems: true,
      },
    ],
    description:
      'Instead of `channel`: the event goes to each of these channels. `*` stands for every channel that has a subscriber at any replica; it needs a grant of `*`.',
  });

const Channel = z.string('must be a channel name').optional().meta(CHANNEL_NAME_SCHEMA);

export const PublicationBody = z.strictObject(
  {
    channel: Channel,
    channels: Channels,
    event: EventType.optional(),
    data: Data,
    key: EventKey.optional(),
    delete: Delete,
    close: Close,
    ifLast: IfLast,
  },
  'must be a JSON object such as {"channel":"news","data":"hello"}',
);

const FIELDS = {
  names: ['channel', 'event', 'data', 'key', 'close', 'ifLast', 'channels', 'delete'],
  deepest: '/data',
  lists: ['channels'],
};

/**
 * Reads a JSON object of `POST /publish` (docs/protocol.md §2), and names every fault in it. `publication-scanner.ts` reads the
 * usual ones faster.
 * @param maxBytes the limit for the data in their delivered form
 * @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `body-too-large`
 */
export function parsePublication(body: Buffer, maxBytes: number): Publication | Broadcast {
  const { value, more, loneSurrogate, textOf } = readJson(body, FIELDS);
  const fields = checked(PublicationBody, value, 'a publication', more, faultsBetween(value, textOf));
  const { channel: name = '', channels, event, data, key, close: end = false } = fields;
  if (loneSurrogate)
    throw invalidBody([{ pointer: '', detail: 'holds half of a surrogate pair, which is not a character' }]);
  const text = typeof data === 'string' ? data : textOf('data');
  const made = data === undefined ? undefined : newEvent(event, key, text, maxBytes);
  const deletedKey = fields.delete === true ? key : undefined;
  const ifLast = fields.ifLast as EventId | undefined;
  if (channels !== undefined) return { channels: channelsOf(channels), event: made, deletedKey, end, ifLast };
  const channel = channelOf(name);
  return { channel, event: deletedKey === undefined ? made : deletedEvent(channel, deletedKey), end, ifLast };
}

/** The faults that concern several fields, or a list that is too long for a value. */
function faultsBetween(value: unknown, textOf: (field: string) => string): readonly BodyFault[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const fields = value as Partial<Record<string, unknown>>;
  const { channel, channels, event, data, key, close, ifLast, delete: isDelete } = fields;
  const faults: BodyFault[] = [];
  const add = (pointer: string, detail: string): void => void faults.push({ pointer, detail });
  if (channel === undefined && channels === undefined) add('/channel', 'must be a channel name');
  if (channel !== undefined && channels !== undefined) add('/channels', 'must not be beside channel');
  if (isDelete === true) {
    if (key === undefined) add('/key', 'is required, because delete is true');
    if (data !== undefined || event !== undefined) add('/delete', 'must not be beside data or event');
  } else if (data === undefined && (close !== true || event !== undefined || key !== undefined)) {
    add('/data', 'is required');
  }
  if (ifLast !== undefined && channels !== undefined && !(Array.isArray(channels) && channels.length === 1))
    add('/ifLast', 'needs a single channel');
  const long = typeof channels === 'object' && textOf('channels').length > MAX_LIST_BYTES;
  return long ? [...faults, { pointer: '/channels', detail: 'is too long' }] : faults;
}

function channelsOf(list: unknown): readonly ChannelName[] | '*' {
  if (!Array.isArray(list)) return '*';
  const names = new Set<ChannelName>();
  for (const [i, name] of list.entries()) {
    const pointer = `/channels/${i}`;
    if (typeof name !== 'string') throw invalidBody([{ pointer, detail: 'must be a channel name' }]);
    const channel = channelOf(name, pointer);
    if (names.has(channel)) throw invalidBody([{ pointer, detail: 'names a channel for the second time' }]);
    names.add(channel);
  }
  return [...names];
}

/**
 * Reads the body of `POST /publish/:channel`: the body is the data.
 * @throws BrokerError `invalid-body`, `invalid-event`, `body-too-large`
 */
export function parseRawPublication(
  channel: ChannelName,
  { type, key, end = false, bytes }: Omit<PublishBody, 'channel'>,
  maxBytes: number,
): Publication {
  checkEventType(type);
  const isEmpty = bytes === undefined || bytes.length === 0;
  const endsOnly = end && type === undefined && key === undefined && isEmpty;
  const event = endsOnly ? undefined : newEvent(type, key, isEmpty ? '' : decodeUtf8(bytes), maxBytes);
  return { channel, event, end, ifLast: undefined };
}

/** @throws BrokerError `invalid-event` */
export function checkEventType(type: string | undefined): void {
  const result = EventType.optional().safeParse(type);
  if (result.success) return;
  throw new BrokerError(
    'invalid-event',
    `The event type ${result.error.issues[0]?.message ?? 'is not valid'}.`,
  );
}

function newEvent(
  type: string | undefined,
  key: string | undefined,
  data: string,
  maxBytes: number,
): NewEvent {
  // Browsers accept NUL in data, but other clients cut the string there.
  if (data.includes('\0'))
    throw invalidBody([{ pointer: '/data', detail: 'holds NUL, which is not allowed in text' }]);
  // The limit holds for the delivered form of the data, not only for the body.
  if (!fits(data, maxBytes)) throw tooManyLines();
  return { type, key, data };
}

export function tooManyLines(): BrokerError {
  return new BrokerError(
    'body-too-large',
    'The delivered form of the data is larger than SLUICE_MAX_BODY_BYTES: each line break begins another "data: " line.',
  );
}

/** How many bytes a stream writes for a line break in the data, and how many more that is than LF or CR. */
export const LINE_BREAK_BYTES = '\ndata: '.length;
const GROWTH_BYTES = LINE_BREAK_BYTES - 1;

/**
 * Whether the data take at most `limit` bytes in a stream, without the first `data: ` and the blank line. Each CRLF, CR and LF
 * begins another `data: ` line. Does not make the delivered form, and stops at the limit.
 */
export function fits(data: string, limit: number): boolean {
  // No character takes more room than a line break.
  if (data.length * LINE_BREAK_BYTES <= limit) return true;
  let left = limit - Buffer.byteLength(data);
  let lf = data.indexOf('\n');
  let cr = data.indexOf('\r');
  while (left >= 0 && (lf >= 0 || cr >= 0)) {
    if (cr >= 0 && (lf < 0 || cr < lf)) {
      // CRLF is one line break. The CR is not written, and the LF is counted in its own step.
      left += lf === cr + 1 ? 1 : -GROWTH_BYTES;
      cr = data.indexOf('\r', cr + 1);
    } else {
      left -= GROWTH_BYTES;
      lf = data.indexOf('\n', lf + 1);
    }
  }
  return left >= 0;
}
