import { z } from 'zod';
import { CHANNEL_NAME_SCHEMA } from '../events/channel-name.ts';
import type { ControlCommand } from '../replicas/control-bus.ts';
import { channelOf, checked, invalidBody } from '../publish/body-faults.ts';
import { readJson, requireShort } from '../publish/json-body.ts';

/** In characters. OpenID Connect Core §2 limits `sub` to this, and it bounds the memory of a revocation. */
const MAX_SUBJECT = 255;

const EXAMPLE = '{"channel":"news"} or {"sub":"7","revoke":true}';

export const DisconnectBody = z
  .strictObject(
    {
      sub: z
        .string('must be a string')
        .min(1, `must have 1 to ${MAX_SUBJECT} characters`)
        .max(MAX_SUBJECT, `must have 1 to ${MAX_SUBJECT} characters`)
        .optional(),
      channel: z.string('must be a channel name').meta(CHANNEL_NAME_SCHEMA).optional(),
      revoke: z.boolean('must be true or false').optional(),
    },
    `must be a JSON object such as ${EXAMPLE}`,
  )
  .refine(
    ({ sub, channel }) => sub !== undefined || channel !== undefined,
    `needs sub or channel, such as ${EXAMPLE}`,
  );

const FIELDS = { names: ['sub', 'channel', 'revoke'] };

/**
 * Reads the JSON body of `POST /disconnect` (docs/protocol.md §5).
 * @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `body-too-large`
 */
export function parseDisconnect(body: Buffer, now: number): ControlCommand {
  if (body.length === 0) throw invalidBody([{ pointer: '', detail: `is empty. Send ${EXAMPLE}` }]);
  requireShort(body);
  const { value, more, loneSurrogate } = readJson(body, FIELDS);
  const {
    sub: subject,
    channel: name,
    revoke = false,
  } = checked(DisconnectBody, value, 'this request', more);
  if (loneSurrogate)
    throw invalidBody([
      { pointer: '/sub', detail: 'holds half of a surrogate pair, which is not a character' },
    ]);
  const channel = name === undefined ? undefined : channelOf(name);
  return {
    kind: 'disconnect',
    subject,
    channel,
    revocation: revoke ? { subject, channel, until: now } : undefined,
  };
}
