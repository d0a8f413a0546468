import type { LogListener } from '../../src/core/event-log.ts';
import type { EventId, StoredEvent } from '../../src/core/event.ts';

/** Remembers what a log tells it, and lets a test wait for it. */
export class Listener implements LogListener {
  readonly events: StoredEvent[] = [];
  readonly resumedAt: EventId[] = [];
  readonly troubles: unknown[] = [];
  interruptions = 0;
  readonly #waiting = new Set<() => void>();

  get ids(): EventId[] {
    return this.events.map((event) => event.id);
  }

  onEvents(events: readonly StoredEvent[]): void {
    this.events.push(...events);
    this.#wake();
  }

  onTrouble(error: unknown): void {
    this.troubles.push(error);
    this.#wake();
  }

  onInterrupted(): void {
    this.interruptions++;
    this.#wake();
  }

  onResumed(tail: EventId): void {
    this.resumedAt.push(tail);
    this.#wake();
  }

  /** Resolves once an event has come whose id satisfies the condition. */
  heard(condition: (id: EventId) => boolean): Promise<void> {
    return this.until(() => this.ids.some(condition));
  }

  /** Resolves once the condition holds; looked at whenever the log says something. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of this.#waiting) look();
  }
}
