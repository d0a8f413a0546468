import { Buffer } from 'node:buffer';
import { BrokerError } from '../events/errors.ts';
import type { EventId, NewEvent } from '../events/event.ts';
import { MAX_APPENDED, MAX_APPENDED_BYTES } from '../log/event-log.ts';
import type { Appended } from '../log/event-log.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { ChannelPublications } from './publication-list.ts';

/** The largest number of channels that are appended to at the same time. With large events there are fewer. */
const MAX_WIDTH = 32;

/** The parts of `FairLoop` that publishing uses. */
export interface PublishLoop {
  add(task: { run(until: number): boolean }): void;
  inTurn<T>(work: () => T): Promise<T>;
}

/** One append to a channel. */
interface Page {
  readonly channel: ChannelName;
  readonly events: readonly NewEvent[];
  /** The position of the first event among the channel's events in the body. */
  readonly firstPosition: number;
  readonly ifLast: EventId | undefined;
  readonly end: boolean;
}

export interface ManyOptions {
  readonly append: (page: Page) => readonly Appended[] | Promise<readonly Appended[]>;
  /** Checks the idempotency key of a page; undefined for a request without a key. */
  readonly check: ((page: Page) => Promise<void>) | undefined;
  /** Does a piece of work in a turn of the event loop that has time. The log in memory appends at once, and never waits. */
  readonly inTurn: <T>(work: () => T) => Promise<T>;
  /** Whether to skip channels that have ended. Otherwise they are an error. */
  readonly skipEnded: boolean;
}

export interface ManyAppended {
  /** What the log says about each event of a channel; about an end without events one result. */
  readonly results: ReadonlyMap<ChannelPublications, readonly Appended[]>;
  /** How many events are in the log. */
  readonly published: number;
  /** How many channels were skipped, because they have ended. */
  readonly skipped: number;
}

/**
 * Appends to many channels: up to {@link MAX_WIDTH} channels at the same time, in their order, and page after page of each.
 * After the first error no further append begins.
 * @throws BrokerError of the first failed append, with the number of events in the log (`published`) and the channel
 */
export async function appendMany(
  channels: readonly ChannelPublications[],
  { append, check, inTurn, skipEnded }: ManyOptions,
): Promise<ManyAppended> {
  const pages = channels.map(pagesOf);
  const count = pages.reduce((sum, some) => sum + some.length, 0);
  const results = new Map<ChannelPublications, Appended[]>();
  const failures: unknown[] = [];
  let published = 0;
  let skipped = 0;
  const width = widthOf(channels);

  const inTurns = async (work: (page: Page, of: ChannelPublications) => Promise<void>): Promise<void> => {
    const all = pages.entries();
    await together(Math.min(width, pages.length), async () => {
      for (const [i, some] of all) {
        for (const page of some) {
          if (failures.length > 0) return;
          try {
            const of = channels[i] as ChannelPublications;
            // One append needs no turn, as a plain publish needs none.
            await (count > 1 ? inTurn(() => work(page, of)) : work(page, of));
          } catch (error) {
            if (skipEnded && error instanceof BrokerError && error.code === 'channel-ended') skipped++;
            else failures.push(failureOf(error, page.channel));
            break;
          }
        }
      }
    });
    if (failures.length > 0) throw withPublished(failures[0], published, count > 1);
  };

  // A single append checks its key itself, in the same step.
  if (check !== undefined && count > 1) await inTurns(check);
  await inTurns(async (page, of) => {
    const appended = await append(page);
    published += page.events.length;
    const before = results.get(of);
    if (before === undefined) results.set(of, [...appended]);
    else before.push(...appended);
  });
  return { results, published, skipped };
}

/** Looks for the first refused channel, in slices: a token may have thousands of patterns, and a body 10,000 channels. */
export function firstRefusal(
  channels: readonly ChannelPublications[],
  refusalOf: (channel: ChannelName) => BrokerError | undefined,
  loop: Pick<PublishLoop, 'add'>,
): Promise<BrokerError | undefined> {
  const { promise, resolve } = Promise.withResolvers<BrokerError | undefined>();
  const all = channels.values();
  loop.add({
    run: (until) => {
      for (const { channel } of all) {
        const refusal = refusalOf(channel);
        if (refusal === undefined && performance.now() < until) continue;
        if (refusal === undefined) return true;
        resolve(refusal);
        return false;
      }
      resolve(undefined);
      return false;
    },
  });
  return promise;
}

async function together(width: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: width }, work));
}

/** How many channels to append to at the same time, so that about {@link MAX_APPENDED_BYTES} are on their way to the log. */
function widthOf(channels: readonly ChannelPublications[]): number {
  let largest = 1;
  for (const { events } of channels) {
    if (events.length === 0) continue;
    const length = events.reduce((sum, { data }) => sum + data.length, 0);
    // The usual size of a page of the channel.
    largest = Math.max(largest, length * Math.min(MAX_APPENDED / events.length, 1));
  }
  return Math.min(Math.max(Math.floor(MAX_APPENDED_BYTES / largest), 1), MAX_WIDTH);
}

/** Splits the events of a channel into appends. */
function pagesOf({ channel, events, end, ifLast }: ChannelPublications): readonly Page[] {
  const pages: Page[] = [];
  let first = 0;
  let bytes = 0;
  const add = (next: number): void => {
    const last = next === events.length;
    pages.push({
      channel,
      events: events.slice(first, next),
      firstPosition: first,
      ifLast: first === 0 ? ifLast : undefined,
      end: end && last,
    });
    first = next;
    bytes = 0;
  };
  for (const [i, { data }] of events.entries()) {
    // The size of a single event is not needed: a thousand channels may get the same large one.
    const size = events.length === 1 ? 0 : Buffer.byteLength(data);
    if (i > first && (i - first === MAX_APPENDED || bytes + size > MAX_APPENDED_BYTES)) add(i);
    bytes += size;
  }
  add(events.length);
  return pages;
}

/** The error of an append, with its channel. */
function failureOf(error: unknown, channel: ChannelName): unknown {
  return error instanceof BrokerError ? withMembers(error, error.message, { channel }) : error;
}

/** @param many whether the request has several appends, so that the message has to say which events are in the log */
function withPublished(error: unknown, published: number, many: boolean): unknown {
  if (!(error instanceof BrokerError)) return error;
  const { channel = '' } = error.members;
  const message = many
    ? `Events of the body in the log: ${published}. For ${channel}: ${error.message}`
    : error.message;
  return withMembers(error, message, { published });
}

/** A copy of the error with another message and more members of its problem document. */
export function withMembers(
  error: BrokerError,
  message: string,
  members: BrokerError['members'],
): BrokerError {
  const { code, faults, retryAfter, trouble } = error;
  return new BrokerError(code, message, {
    cause: error,
    faults,
    ...(retryAfter !== undefined && { retryAfter }),
    ...(trouble !== undefined && { trouble }),
    members: { ...error.members, ...members },
  });
}
