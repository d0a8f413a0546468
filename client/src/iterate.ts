import { guard } from './client.ts';
import type { EventIteration, SluiceClient, SluiceError, SluiceEvent, SubscribeOptions } from './types.ts';

/** How much waits for a slow loop, in characters of data. */
const MAX_QUEUE_LENGTH = 1024 * 1024;
/** What each event counts besides its data. */
const EVENT_LENGTH = 256;

/**
 * Subscribes to a channel at once, and returns its events for a `for await` loop. Iterate it once; leaving the loop closes
 * the subscription. While the loop is slow, some 1 MiB of events wait for it; beyond that the subscription is paused.
 */
export function iterate(
  client: SluiceClient,
  channel: string,
  options: Omit<SubscribeOptions, 'onEvent' | 'handled'> = {},
): EventIteration {
  /** Events, and the gaps between them. */
  const queue: (SluiceEvent | (() => void))[] = [];
  let queueLength = 0;
  let position: string | undefined;
  let failure: SluiceError | undefined;
  let isClosed = false;
  let wake: (() => void) | undefined;

  const add = (item: SluiceEvent | (() => void)): void => {
    queue.push(item);
    wake?.();
  };
  const subscription = client.subscribe(channel, {
    ...options,
    handled: () => position,
    onEvent(event) {
      add(event);
      queueLength += event.data.length + EVENT_LENGTH;
      if (queueLength > MAX_QUEUE_LENGTH) subscription.pause();
    },
    onGap: (gap) => add(() => guard(options.onGap, gap)),
    onReady(ready) {
      if (queue.length === 0) position = ready;
      options.onReady?.(ready);
    },
    onError(error) {
      failure = error;
      options.onError?.(error);
    },
    onClose() {
      isClosed = true;
      wake?.();
      options.onClose?.();
    },
  });
  position = subscription.position;

  async function* events(): AsyncGenerator<SluiceEvent, void, undefined> {
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
          subscription.resume();
          await new Promise<void>((resolve) => (wake = resolve));
        }
      }
    } finally {
      subscription.close();
    }
  }
  return {
    channel,
    get position() {
      return position;
    },
    close: () => subscription.close(),
    [Symbol.asyncIterator]: events,
  };
}
