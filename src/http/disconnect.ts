import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Answers, ControlBus, ControlCommand } from '../core/control-bus.ts';
import { hasLoneSurrogate } from './exact-json.ts';
import { channelOf, checked, decodeUtf8, invalidBody, parseJson, takeJsonBytes } from './json-body.ts';
import { requirePublishKey } from './publish-key-check.ts';
import type { PublishKeyCheckOptions } from './publish-key-check.ts';

export interface DisconnectOptions extends PublishKeyCheckOptions {
  readonly control: Pick<ControlBus, 'request'>;
}

/** OpenID Connect Core §2 has 255 characters for a `sub` at the most, and what is kept of it is bounded by that. */
const MAX_SUBJECT = 255;

const EXAMPLE = '{"channel":"news"} or {"sub":"7","revoke":true}';

const DisconnectBody = z
  .strictObject(
    {
      sub: z
        .string('must be a string')
        .min(1, `must have 1 to ${MAX_SUBJECT} characters`)
        .max(MAX_SUBJECT, `must have 1 to ${MAX_SUBJECT} characters`)
        .optional(),
      channel: z.string('must be a channel name').optional(),
      revoke: z.boolean('must be true or false').optional(),
    },
    `must be a JSON object such as ${EXAMPLE}`,
  )
  .refine(
    ({ sub, channel }) => sub !== undefined || channel !== undefined,
    `names neither sub nor channel; send ${EXAMPLE}`,
  );

/** `POST /disconnect` (docs/protocol.md §5). */
export async function disconnectRoute(app: FastifyInstance, options: DisconnectOptions): Promise<void> {
  const { control } = options;
  requirePublishKey(app, options);
  takeJsonBytes(app);
  app.post<{ Body: Buffer | undefined }>('/disconnect', (request) =>
    control.request(parseDisconnect(request.body ?? Buffer.alloc(0), Date.now())).then(toJson),
  );
}

/** @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel` */
function parseDisconnect(body: Buffer, now: number): ControlCommand {
  if (body.length === 0) throw invalidBody([{ pointer: '', detail: `is empty; send ${EXAMPLE}` }]);
  const text = decodeUtf8(body);
  const value = parseJson(text);
  const { sub: subject, channel: name, revoke = false } = checked(DisconnectBody, value, 'this request');
  if (hasLoneSurrogate(value, text))
    throw invalidBody([{ pointer: '/sub', detail: 'holds half of a surrogate pair, which is no character' }]);
  const channel = name === undefined ? undefined : channelOf(name);
  return {
    kind: 'disconnect',
    subject,
    channel,
    revocation: revoke ? { subject, channel, until: now } : undefined,
  };
}

function toJson({ answers, complete }: Answers): object {
  return {
    disconnected: answers.reduce((sum, { closed }) => sum + closed, 0),
    replicas: answers.map(({ replica, closed }) => ({ replica, disconnected: closed })),
    complete,
  };
}
