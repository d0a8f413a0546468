import type { Link } from './link.ts';
import type { SluiceError } from './sluice-error.ts';
import type { SluiceEvent, SubscribeOptions, Subscription } from './types.ts';

/** The form of an event's id. */
export const ID = /^(0|[1-9]\d{0,18})-(0|[1-9]\d{0,18})$/;
/** How much waits for a slow iterator, in characters of data. */
const MAX_QUEUE_LENGTH = 1024 * 1024;
/** What each event counts besides its data. */
const EVENT_LENGTH = 256;

/** What a subscription asks of its client. */
interface Owner {
  /** Stops the events. */
  detach(): void;
  /** Goes on after {@link ChannelSubscription.seen}. */
  resume(): void;
  closed(): void;
}

/** Orders two ids of a channel. Both numbers have no leading zeros. */
export function compareIds(one: string, other: string): number {
  const [ms = '', seq = ''] = one.split('-');
  const [otherMs = '', otherSeq = ''] = other.split('-');
  return compareDigits(ms, otherMs) || compareDigits(seq, otherSeq);
}

function compareDigits(one: string, other: string): number {
  return one.length - other.length || (one < other ? -1 : Number(one > other));
}

/** Calls a callback of the application. Reports what the callback throws, and goes on. */
export function guard<T extends unknown[]>(
  callback: ((...values: T) => void) | undefined,
  ...values: T
): void {
  try {
    callback?.(...values);
  } catch (error) {
    const report = (globalThis as { reportError?: (error: unknown) => void }).reportError;
    if (report) report(error);
    else
      queueMicrotask(() => {
        throw error;
      });
  }
}

/** A subscription: drops what it has had, and hands out the rest by callbacks or to an iterator. */
export class ChannelSubscription implements Subscription {
  readonly channel: string;
  readonly options: SubscribeOptions;
  position: string | undefined;
  /** The newest event that has come, or the position where it begins. */
  seen: string | undefined;
  /** What brings its events; undefined while it is paused or closed. */
  link: Link | undefined;
  isReady = false;
  /** Begins live, but the link is still bringing events of the past for another subscription. */
  skips = false;
  readonly #owner: Owner;
  /** After a gap the next event may have any id: the log may have begun anew. */
  #takesAny = false;
  /** What waits for the iterator. There is none when events go to `onEvent`. */
  readonly #queue: (SluiceEvent | (() => void))[] | undefined;
  #queueLength = 0;
  #wake: () => void = () => undefined;
  #isClosed = false;
  #error: SluiceError | undefined;

  constructor(channel: string, options: SubscribeOptions, owner: Owner) {
    this.channel = channel;
    this.options = options;
    this.#owner = owner;
    this.#queue = options.onEvent ? undefined : [];
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#owner.closed();
    this.#wake();
  }

  /** Closes the subscription, because its channel has ended or the broker refuses it. */
  finish(error?: SluiceError): void {
    this.#error = error;
    this.close();
    if (error) guard(this.options.onError, error);
    else guard(this.options.onEnd);
  }

  take(id: string, event: string, data: string): void {
    if (this.skips || (!this.#takesAny && this.seen !== undefined && compareIds(id, this.seen) <= 0)) return;
    this.#takesAny = false;
    this.seen = id;
    const taken = { channel: this.channel, id, event, data };
    if (this.#queue) this.#enqueue(taken);
    else {
      this.position = id;
      guard(this.options.onEvent, taken);
    }
  }

  /** Returns whether this subscription misses events. Another one may have a gap that this one has not. */
  gap(after: string | null, before: string | null): boolean {
    const { seen, channel } = this;
    const isPast = seen !== undefined && after !== seen && before !== null && compareIds(seen, before) >= 0;
    if (this.skips || isPast) return false;
    this.#takesAny = true;
    const report = (): void => guard(this.options.onGap, { channel, after, before });
    if (this.#queue) this.#enqueue(report);
    else report();
    return true;
  }

  /** Everything before the position has come. */
  goTo(position: string): void {
    if (this.#takesAny || this.seen === undefined || compareIds(position, this.seen) > 0)
      this.seen = position;
    this.skips = this.#takesAny = false;
    if (!this.#queue?.length) this.position = this.seen;
  }

  becomeReady(position: string): void {
    this.goTo(position);
    this.isReady = true;
    guard(this.options.onReady, position);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SluiceEvent, void, undefined> {
    const queue = this.#queue;
    if (!queue) throw new TypeError('A subscription with onEvent has nothing to iterate.');
    try {
      for (;;) {
        const item = queue.shift();
        if (typeof item === 'function') item();
        else if (item) {
          this.#queueLength -= item.data.length + EVENT_LENGTH;
          this.position = item.id;
          yield item;
        } else if (this.#error) throw this.#error;
        else if (this.#isClosed) return;
        else {
          if (!this.link) this.#owner.resume();
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.close();
    }
  }

  #enqueue(item: SluiceEvent | (() => void)): void {
    this.#queue?.push(item);
    if (typeof item !== 'function') this.#queueLength += item.data.length + EVENT_LENGTH;
    this.#wake();
    // The iterator is slow. It goes on from the log when it has caught up. A state comes whole, and is no longer than the
    // broker allows.
    if (this.#queueLength > MAX_QUEUE_LENGTH && (this.isReady || !this.options.state)) this.#owner.detach();
  }
}
