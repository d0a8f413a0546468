import { z } from 'zod';
import { parseChannelName } from '../../core/channel-name.ts';
import type { ChannelName } from '../../core/channel-name.ts';
import type { ControlCommand } from '../../core/control-bus.ts';

const Channel = z.string().transform((text, context): ChannelName => {
  try {
    return parseChannelName(text);
  } catch {
    context.addIssue('is no channel name');
    return z.NEVER;
  }
});
const Target = { subject: z.string().min(1).optional(), channel: Channel.optional() };

/** Fields that are not known are passed over: a newer replica may say more. */
const Request = z.object({
  id: z.string(),
  from: z.string(),
  command: z.object({
    kind: z.literal('disconnect'),
    ...Target,
    revocation: z.object({ ...Target, until: z.number() }).optional(),
  }),
});

const Reply = z.object({ id: z.string(), from: z.string(), closed: z.number().int().min(0) });

/** A command on its way to every replica. */
export interface ControlRequest {
  readonly id: string;
  /** The replica that asks. */
  readonly from: string;
  readonly command: ControlCommand;
}

/** What one replica answers to it. */
export type ControlReply = z.output<typeof Reply>;

export function encodeControl(message: ControlRequest | ControlReply): string {
  return JSON.stringify(message);
}

/** Undefined for what this version does not know: a newer replica may say more than an older one understands. */
export function parseRequest(text: string): ControlRequest | undefined {
  const result = Request.safeParse(parseJson(text));
  if (!result.success) return undefined;
  const { id, from, command } = result.data;
  const { kind, subject, channel, revocation } = command;
  // Without either it would end every stream there is.
  if (subject === undefined && channel === undefined) return undefined;
  return {
    id,
    from,
    command: {
      kind,
      subject,
      channel,
      revocation: revocation && {
        subject: revocation.subject,
        channel: revocation.channel,
        until: revocation.until,
      },
    },
  };
}

/** Undefined for what this version does not know. */
export function parseReply(text: string): ControlReply | undefined {
  return Reply.safeParse(parseJson(text)).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
