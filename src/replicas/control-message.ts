import type { Buffer } from 'node:buffer';
import { z } from 'zod';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { DISCONNECT, MAX_ANSWER_BYTES } from './control-bus.ts';
import type { ControlCommand, Json } from './control-bus.ts';

/** Larger messages are not parsed. The largest answer and the fields around it fit. */
const MAX_MESSAGE_BYTES = MAX_ANSWER_BYTES + 8 * 1024;

const Channel = z.string().transform((text, context): ChannelName => {
  try {
    return parseChannelName(text);
  } catch {
    context.addIssue('is not a channel name');
    return z.NEVER;
  }
});
const Target = { subject: z.string().min(1).optional(), channel: Channel.optional() };
/** Any result of JSON.parse. Not checked in depth: a deeply nested value could overflow the stack. */
const AnyJson = z.custom<Json>((value) => value !== undefined);
/** The id of a question, the kind of a question, or the name of a replica. */
const Name = z.string().min(1).max(300);

/** Unknown fields are ignored: a newer release may send more fields. */
const Question = z.object({
  id: Name,
  from: Name,
  command: z.object({ kind: Name, payload: AnyJson.optional() }),
});

/** The command that older releases also know. Its fields stand beside `kind`; it has no payload. */
const Disconnect = z.object({
  command: z
    .object({
      kind: z.literal(DISCONNECT),
      ...Target,
      revocation: z.object({ ...Target, until: z.number() }).optional(),
    })
    // A command without subject and channel would end every stream.
    .refine(({ subject, channel }) => subject !== undefined || channel !== undefined),
});

/** `closed` answers a command. `answer` answers any other question. */
const Reply = z.union([
  z.object({ id: Name, from: Name, closed: z.number().int().min(0) }),
  z.object({ id: Name, from: Name, answer: AnyJson }),
]);

/** A question to every replica. */
export interface ControlQuestion {
  readonly id: string;
  /** The replica that asks. */
  readonly from: string;
  readonly about: ControlCommand | { readonly kind: string; readonly payload: Json };
}

/** The answer of one replica. */
export type ControlReply = z.output<typeof Reply>;

export function encodeQuestion({ id, from, about }: ControlQuestion): string {
  return JSON.stringify({ id, from, command: about });
}

export function encodeReply(reply: ControlReply): string {
  return JSON.stringify(reply);
}

/** Returns undefined for a message that this release does not understand. */
export function parseQuestion(message: Buffer): ControlQuestion | undefined {
  const json = parseJson(message);
  const question = Question.safeParse(json).data;
  if (question === undefined) return undefined;
  const { id, from } = question;
  const { kind, payload } = question.command;
  if (kind !== DISCONNECT) return payload === undefined ? undefined : { id, from, about: { kind, payload } };
  const disconnect = Disconnect.safeParse(json).data?.command;
  if (disconnect === undefined) return undefined;
  const { subject, channel, revocation } = disconnect;
  return {
    id,
    from,
    about: {
      kind: DISCONNECT,
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

/** Returns undefined for a message that this release does not understand. */
export function parseReply(message: Buffer): ControlReply | undefined {
  return Reply.safeParse(parseJson(message)).data;
}

function parseJson(message: Buffer): unknown {
  if (message.length > MAX_MESSAGE_BYTES) return undefined;
  try {
    return JSON.parse(message.toString());
  } catch {
    return undefined;
  }
}
