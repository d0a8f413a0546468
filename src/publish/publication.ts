import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { NewEvent } from '../events/event.ts';
import { channelOf, checked, invalidBody } from './body-faults.ts';
import { decodeUtf8, readJson } from './json-body.ts';

/** A checked publish: the channel and its new event. */
export interface Publication {
  readonly channel: ChannelName;
  readonly event: NewEvent;
}

/** The body of a publish request. */
export interface PublishBody {
  /** The channel in the path. Undefined when the body is JSON and names the channel. */
  readonly channel: ChannelName | undefined;
  /** The event's type, when the path names the channel. */
  readonly type: string | undefined;
  readonly bytes: Buffer | undefined;
}

/** 1 to 200 visible ASCII characters, RFC 5234 `VCHAR`. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

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

export const PublicationBody = z.strictObject(
  {
    channel: z.string('must be a channel name').meta(CHANNEL_NAME_SCHEMA),
    event: EventType.optional(),
    data: z
      .custom<unknown>((data) => data !== undefined, 'is required')
      .meta({
        ...WITHOUT_NUL,
        description:
          'A string is delivered as it is. It must not hold NUL. Any other JSON value is delivered as the JSON text that was sent, without the blanks between its tokens. It may be nested 200 levels deep. `SLUICE_MAX_BODY_BYTES` also limits the delivered form, in which each line after the first takes 6 bytes more.',
      }),
  },
  'must be a JSON object such as {"channel":"news","data":"hello"}',
);

const FIELDS = { names: ['channel', 'event', 'data'], deepest: '/data' };

/**
 * Reads the JSON body of `POST /publish` (docs/protocol.md §2).
 * @param maxBytes the limit for the data in their delivered form
 * @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `body-too-large`
 */
export function parsePublication(body: Buffer | undefined, maxBytes: number): Publication {
  if (body === undefined || body.length === 0)
    throw invalidBody([{ pointer: '', detail: 'is empty; send {"channel":"news","data":"hello"}' }]);
  const { value, more, loneSurrogate, textOf } = readJson(body, FIELDS);
  if (Array.isArray(value))
    throw invalidBody([{ pointer: '', detail: 'is a list; send one event in each request' }]);
  const { channel, event, data } = checked(PublicationBody, value, 'a publication', more);
  if (loneSurrogate)
    throw invalidBody([{ pointer: '', detail: 'holds half of a surrogate pair, which is not a character' }]);
  return {
    channel: channelOf(channel),
    event: newEvent(event, typeof data === 'string' ? data : textOf('data'), maxBytes),
  };
}

/**
 * Reads the body of `POST /publish/:channel`: the body is the data.
 * @throws BrokerError `invalid-body`, `invalid-event`, `body-too-large`
 */
export function parseRawPublication(
  channel: ChannelName,
  type: string | undefined,
  body: Buffer | undefined,
  maxBytes: number,
): Publication {
  const result = EventType.optional().safeParse(type);
  if (!result.success)
    throw new BrokerError(
      'invalid-event',
      `The event type ${result.error.issues[0]?.message ?? 'is not valid'}.`,
    );
  return { channel, event: newEvent(type, body === undefined ? '' : decodeUtf8(body), maxBytes) };
}

function newEvent(type: string | undefined, data: string, maxBytes: number): NewEvent {
  // Browsers accept NUL in data, but other clients cut the string there.
  if (data.includes('\0'))
    throw invalidBody([{ pointer: '/data', detail: 'holds NUL, which is not allowed in text' }]);
  // The limit holds for the delivered form of the data, not only for the body.
  if (!fits(data, maxBytes))
    throw new BrokerError(
      'body-too-large',
      'The delivered form of the data is larger than SLUICE_MAX_BODY_BYTES: each line break begins another "data: " line.',
    );
  return { type, data };
}

/** How many bytes a stream writes for a line break in the data, and how many more that is than LF or CR. */
const LINE_BREAK_BYTES = '\ndata: '.length;
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
