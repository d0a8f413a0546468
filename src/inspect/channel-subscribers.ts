import { Buffer } from 'node:buffer';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { parseEventId } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import { MAX_ANSWER_BYTES } from '../replicas/control-bus.ts';
import type { ControlBus, Json } from '../replicas/control-bus.ts';
import { QuestionInParts } from '../replicas/question-in-parts.ts';
import type { Connections, OpenConnection } from '../stream/connections.ts';

/**
 * The kind of the question. Its payload is `{"channel", "sub", "most", "skip"}`: `most` streams of the channel, and of this `sub`
 * if there is one, without those that an earlier answer had. `skip` has their number for each replica that had more of them
 * than fit in an answer; the other replicas have no more.
 */
const SUBSCRIBERS = 'subscribers';

/** The bytes of the streams in one answer, as JSON. The fields around them fit, too. */
const ANSWER_BYTES = MAX_ANSWER_BYTES - 1024;
/** In characters. `POST /disconnect` takes subjects of this length. */
const MAX_SUBJECT = 255;

export interface ChannelSubscribersOptions {
  readonly control: Pick<ControlBus, 'replica' | 'answer' | 'ask'>;
  readonly hub: { subscribersOf(channel: ChannelName): number };
  readonly connections: Pick<Connections, 'visit'>;
}

/** One stream, or one of the channels of a stream. */
export interface ListedSubscriber {
  /** The `sub` of the stream's token; null without one. */
  readonly sub: string | null;
  readonly replica: string;
  /** When the stream opened, in epoch ms. */
  readonly since: number;
  /** The id of the last event written; null while it is not known where the stream begins. */
  readonly position: EventId | null;
}

export interface SubscriberCount {
  readonly count: number;
  /** Whether every replica has answered. */
  readonly complete: boolean;
}

export interface SubscriberPage extends SubscriberCount {
  /** Those of each replica together, the oldest first. */
  readonly subscribers: readonly ListedSubscriber[];
}

/** A stream in an answer: sub, since, position. */
type Entry = readonly [sub: string | null, since: number, position: string | null];

interface Question {
  readonly channel: ChannelName;
  readonly subject: string | undefined;
  readonly most: number;
  /** Undefined in the first question. */
  readonly skip: Readonly<Record<string, number>> | undefined;
}

interface Answer {
  readonly count: number;
  readonly entries: readonly Entry[];
  /** Whether there are more entries, for which the answer had no room. */
  readonly more: boolean;
}

const NO_MORE: Answer = { count: 0, entries: [], more: false };

/** Knows who listens to a channel at any replica now. Asks every replica each time, and keeps nothing. */
export class ChannelSubscribers {
  readonly #options: ChannelSubscribersOptions;

  constructor(options: ChannelSubscribersOptions) {
    this.#options = options;
    options.control.answer(SUBSCRIBERS, async (payload) => toJson(await this.#answer(questionIn(payload))));
  }

  /** @throws BrokerError `log-unavailable` when the replicas cannot be asked */
  async count(channel: ChannelName): Promise<SubscriberCount> {
    const { count, complete } = await this.list(channel, undefined, 0);
    return { count, complete };
  }

  /**
   * @param subject lists only streams of tokens with this `sub`
   * @throws BrokerError `log-unavailable` when the replicas cannot be asked
   */
  async list(channel: ChannelName, subject: string | undefined, limit: number): Promise<SubscriberPage> {
    const subscribers: ListedSubscriber[] = [];
    let count = 0;
    let skip: Readonly<Record<string, number>> | undefined;
    const question = new QuestionInParts(this.#options.control, SUBSCRIBERS);
    for (;;) {
      const payload = payloadOf({ channel, subject, most: limit - subscribers.length, skip });
      const rest: Record<string, number> = {};
      for (const { replica, part } of await question.ask(payload, answerIn)) {
        const { entries, more } = part;
        if (skip === undefined) count += part.count;
        for (const [sub, since, position] of entries.slice(0, limit - subscribers.length))
          subscribers.push({ sub, replica, since, position: parseEventId(position ?? '') ?? null });
        if (more && entries.length > 0) rest[replica] = (skip?.[replica] ?? 0) + entries.length;
      }
      skip = rest;
      if (Object.keys(rest).length === 0 || subscribers.length >= limit)
        return { count, complete: question.complete, subscribers };
    }
  }

  async #answer({ channel, subject, most, skip }: Question): Promise<Answer> {
    const { control, hub, connections } = this.#options;
    if (most === 0 && subject === undefined)
      return { count: hub.subscribersOf(channel), entries: [], more: false };
    const skipped = skip === undefined ? 0 : skip[control.replica];
    if (skipped === undefined) return NO_MORE;
    const wallOffset = Date.now() - performance.now();
    const entries: Entry[] = [];
    let bytes = 0;
    let count = 0;
    const isChannel = (one: ChannelName): boolean => one === channel;
    await connections.visit((stream) => {
      if (subject !== undefined && stream.holder?.subject !== subject) return false;
      if (!stream.hasChannel(isChannel)) return false;
      count++;
      if (count <= skipped || entries.length >= most || bytes > ANSWER_BYTES) return false;
      const entry = entryOf(stream, channel, wallOffset);
      bytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
      if (bytes <= ANSWER_BYTES) entries.push(entry);
      return true;
    });
    return { count, entries, more: bytes > ANSWER_BYTES };
  }
}

function entryOf(
  { holder, openedAt, channels, source }: OpenConnection,
  channel: ChannelName,
  wallOffset: number,
): Entry {
  const subject = holder?.subject?.slice(0, MAX_SUBJECT).toWellFormed();
  const position = typeof channels === 'string' ? source.cursor : source.positionIn?.(channel);
  return [subject ?? null, Math.round(wallOffset + openedAt), position ?? null];
}

function payloadOf({ channel, subject, most, skip }: Question): Json {
  return {
    channel,
    most,
    ...(subject !== undefined && { sub: subject }),
    ...(skip !== undefined && { skip }),
  };
}

/** @throws BrokerError for a payload without a channel, which another release of the broker has sent */
function questionIn(payload: Json): Question {
  const { channel, sub, most, skip } = payload as { readonly [name: string]: Json };
  return {
    channel: parseChannelName(typeof channel === 'string' ? channel : ''),
    subject: typeof sub === 'string' ? sub : undefined,
    most: Number(most),
    skip: typeof skip === 'object' ? (skip as Readonly<Record<string, number>>) : undefined,
  };
}

function toJson({ count, entries, more }: Answer): Json {
  return { count, subscribers: entries, more };
}

/** Returns undefined for an answer of another form. */
function answerIn(answer: Json): Answer | undefined {
  const { count, subscribers, more } = (answer ?? {}) as { readonly [name: string]: Json };
  if (typeof count !== 'number' || typeof more !== 'boolean' || !Array.isArray(subscribers)) return undefined;
  return subscribers.every(isEntry) ? { count, entries: subscribers, more } : undefined;
}

function isEntry(entry: Json): entry is Entry {
  if (!Array.isArray(entry)) return false;
  const [sub, since, position] = entry as readonly Json[];
  return isText(sub) && typeof since === 'number' && isText(position);
}

function isText(value: Json | undefined): boolean {
  return value === null || typeof value === 'string';
}
