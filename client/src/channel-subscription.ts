import type { Link } from './link.ts';
import type { SluiceError } from './sluice-error.ts';
import type { SluiceEvent, SubscribeOptions, Subscription } from './types.ts';

/** How much waits for a slow iterator, in characters of data. */
const MAX_QUEUE_LENGTH = 1024 * 1024;
/** What each event counts besides its data. */
const EVENT_LENGTH = 256;

/** What a subscription asks of its client. */
interface Owner {
  /** The iterator is slow. */
  pause(): void;
  /** The iterator has caught up: go on after `seen`. */
  resume(): void;
  closed(): void;
}

/** The inside of a subscription: drops what it has had, and hands out the rest by callbacks or to an iterator. */
export interface ChannelSubscription {
  readonly options: SubscribeOptions;
  /** What the application gets. */
  readonly handle: Subscription;
  /** What brings its events; undefined while it is paused. */
  link: Link | undefined;
  /** The newest event that has come, or the position where it begins. */
  seen: string | undefined;
  /** Begins live, while the link still brings events of the past for another subscription. */
  skips: boolean;
  event(id: string, event: string, data: string): void;
  /** Returns whether this subscription misses events. Another one may have a gap that this one has not. */
  gap(after: string | null, before: string | null): boolean;
  /** Everything before the position has come. */
  ready(position: string): void;
  /** Closes the subscription, because its channel has ended or the broker refuses it. */
  end(error?: SluiceError): void;
}

/** Says whether an id of a channel is newer than another. The numbers have no leading zeros. */
export function isNewer(id: string, other: string): boolean {
  return sortable(id) > sortable(other);
}

function sortable(id: string): string {
  return id.replace(/\d+/g, (digits) => digits.padStart(20, '0'));
}

/** Calls a callback of the application. Reports what the callback throws, and goes on. */
export function guard<T>(callback: ((value: T) => void) | undefined, value: T): void {
  try {
    callback?.(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

export function openSubscription(
  channel: string,
  options: SubscribeOptions,
  owner: Owner,
): ChannelSubscription {
  /** What waits for the iterator. There is none when events go to `onEvent`. */
  const queue: (SluiceEvent | (() => void))[] = [];
  let queueLength = 0;
  /** After a gap the next event may have any id: the log may have begun anew. */
  let takesAny = false;
  let position: string | undefined;
  let wake: (() => void) | undefined;
  let isClosed = false;
  let failure: SluiceError | undefined;

  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    owner.closed();
    wake?.();
  };
  const isPast = (id: string): boolean => !takesAny && self.seen !== undefined && !isNewer(id, self.seen);

  async function* iterate(): AsyncGenerator<SluiceEvent, void, undefined> {
    try {
      for (;;) {
        const item = queue.shift();
        if (typeof item === 'function') item();
        else if (item) {
          queueLength -= item.data.length + EVENT_LENGTH;
          position = item.id;
          yield item;
        } else if (failure) throw failure;
        else if (isClosed) return;
        else {
          if (!self.link) owner.resume();
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      close();
    }
  }

  const self: ChannelSubscription = {
    options,
    handle: {
      channel,
      get position() {
        return position;
      },
      close,
      [Symbol.asyncIterator]: iterate,
    },
    link: undefined,
    seen: undefined,
    skips: false,
    event(id, event, data) {
      if (self.skips || isPast(id)) return;
      takesAny = false;
      self.seen = id;
      const taken = { channel, id, event, data };
      if (options.onEvent) {
        position = id;
        guard(options.onEvent, taken);
        return;
      }
      queue.push(taken);
      queueLength += data.length + EVENT_LENGTH;
      wake?.();
      if (queueLength > MAX_QUEUE_LENGTH) owner.pause();
    },
    gap(after, before) {
      if (self.skips || (after !== self.seen && before && isPast(before))) return false;
      takesAny = true;
      const report = (): void => guard(options.onGap, { channel, after, before });
      if (options.onEvent) report();
      else {
        queue.push(report);
        wake?.();
      }
      return true;
    },
    ready(next) {
      if (!isPast(next)) self.seen = next;
      self.skips = takesAny = false;
      if (queue.length === 0) position = self.seen;
    },
    end(error) {
      failure = error;
      close();
      if (error) guard(options.onError, error);
      else guard(options.onEnd, undefined);
    },
  };
  return self;
}
