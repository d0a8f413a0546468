import { EVENT_ID } from './event-id.ts';
import type { PositionStore, SubscribeOptions, Subscription } from './types.ts';

interface Page {
  addEventListener?(type: string, listener: () => void, capture: boolean): void;
  removeEventListener?(type: string, listener: () => void, capture: boolean): void;
  readonly sessionStorage?: {
    getItem(name: string): string | null;
    setItem(name: string, value: string): void;
  };
}

/** What comes when a page is hidden, reloaded or left. */
const EVENTS = ['pagehide', 'visibilitychange'];

/**
 * Keeps the positions of a client's subscriptions in sessionStorage, so that a reload goes on where the page was. A
 * subscription with `state` begins with the state instead.
 * @param name the key in sessionStorage
 */
export function keepPositions(name: string): PositionStore {
  const page = globalThis as Page;
  /** What an earlier page left. */
  const kept = new Map<string, unknown>();
  const open = new Map<Subscription, SubscribeOptions>();
  try {
    const stored = JSON.parse(page.sessionStorage?.getItem(name) ?? '{}') as Record<string, unknown>;
    for (const [channel, position] of Object.entries(stored)) kept.set(channel, position);
  } catch {
    // As if there were none.
  }
  const save = (): void => {
    const positions = new Map(kept);
    for (const [{ channel, position }, { handled }] of open) {
      const last = handled ? handled() : position;
      if (last !== undefined) positions.set(channel, last);
    }
    try {
      page.sessionStorage?.setItem(name, JSON.stringify(Object.fromEntries(positions)));
    } catch {
      // The storage is full or forbidden: the next page begins as one without it.
    }
  };
  return {
    begin(subscription, options) {
      if (options.state) return undefined;
      if (open.size === 0) for (const event of EVENTS) page.addEventListener?.(event, save, true);
      const { channel } = subscription;
      const position = kept.get(channel);
      kept.delete(channel);
      open.set(subscription, options);
      return typeof position === 'string' && EVENT_ID.test(position) ? position : undefined;
    },
    end(subscription) {
      if (open.delete(subscription) && open.size === 0)
        for (const event of EVENTS) page.removeEventListener?.(event, save, true);
    },
  };
}
