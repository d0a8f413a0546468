import { z } from 'zod';
import type { ChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import { parseEventId } from '../core/event.ts';
import type { EventId, NewEvent } from '../core/event.ts';
import { encodeFields, fits } from '../sse/frame.ts';
import { CHANNEL_NAME_SCHEMA } from './api/channel-schemas.ts';
import { WITHOUT_NUL } from './api/json-schema.ts';
import { channelOf, checked, invalidBody } from './body-faults.ts';
import { decodeUtf8, readJson } from './json-body.ts';

/** What a publisher asked for, checked. */
export interface Publication {
  readonly channel: ChannelName;
  readonly event: NewEvent;
}

/** 1 to 200 visible ASCII characters, RFC 5234 `VCHAR`. */
export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;

export const EventType = z
  .string('must be a string')
  .min(1, 'must have 1 to 200 characters')
  .max(200, 'must have 1 to 200 characters')
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u, 'must not hold control characters')
  .regex(/^(?!sluice:)/, 'must not begin with "sluice:", which is for events of the broker itself')
  .meta({
    description:
      'What kind of event it is: what a page listens to with `addEventListener`. An event without one arrives as `message`. No control characters, and not beginning with `sluice:`, which is for events of the broker itself.',
  });

export const PublicationBody = z.strictObject(
  {
    channel: z.string('must be a channel name').meta(CHANNEL_NAME_SCHEMA),
    event: EventType.optional(),
    data: z
      .custom<unknown>((data) => data !== undefined, 'is required')
      .meta({
        ...WITHOUT_NUL,
        description:
          'A string is delivered as it is and must not hold NUL, any other JSON value as the JSON text that came, without the blanks between its parts. Nested 200 levels deep at most. `SLUICE_MAX_BODY_BYTES` limits it as it is delivered, too: each line after the first takes 6 bytes more.',
      }),
  },
  'must be a JSON object such as {"channel":"news","data":"hello"}',
);

const FIELDS = { names: ['channel', 'event', 'data'], deepest: '/data' };

/**
 * Reads the JSON body of `POST /publish` (docs/protocol.md §2). The data may take `maxBytes` as it is delivered.
 * @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `body-too-large`
 */
export function parsePublication(body: Buffer, maxBytes: number): Publication {
  const { value, more, loneSurrogate, textOf } = readJson(body, FIELDS);
  if (Array.isArray(value))
    throw invalidBody([{ pointer: '', detail: 'is a list; send one event in each request' }]);
  const { channel, event, data } = checked(PublicationBody, value, 'a publication', more);
  if (loneSurrogate)
    throw invalidBody([{ pointer: '', detail: 'holds half of a surrogate pair, which is no character' }]);
  return {
    channel: channelOf(channel),
    event: newEvent(event, typeof data === 'string' ? data : textOf('data'), maxBytes),
  };
}

/**
 * Reads the body of `POST /publish/:channel`, which is the data itself.
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

/**
 * What a publisher is answered: neither a channel name nor an id has a character that JSON escapes.
 * @throws Error for an id that is none: whoever can write to the log's Redis may have put anything in its place
 */
export function acknowledgement(channel: ChannelName, id: EventId): string {
  if (parseEventId(id) === undefined)
    throw new Error(`the log answered with an id that is none: ${JSON.stringify(id.slice(0, 100))}`);
  return `{"channel":"${channel}","id":"${id}"}`;
}

function newEvent(type: string | undefined, data: string, maxBytes: number): NewEvent {
  // Browsers take a NUL, others cut the string there: nobody can mean it.
  if (data.includes('\0'))
    throw invalidBody([{ pointer: '/data', detail: 'holds NUL, which text must not' }]);
  // What is kept and sent counts, and not only what came in.
  if (!fits(data, maxBytes))
    throw new BrokerError(
      'body-too-large',
      'The data is larger than SLUICE_MAX_BODY_BYTES allows as it is delivered: each line break in it begins another "data: " line.',
    );
  return { fields: encodeFields(type, data) };
}
