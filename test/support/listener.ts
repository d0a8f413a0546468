import type { LogListener } from '../../src/log/event-log.ts';
import type { EventId, StoredEvent } from '../../src/events/event.ts';

/** Remembers what a log tells it, and lets a test wait for it. */
export class Listener implements LogListener {
  readonly events: StoredEvent[] = [];
  readonly resumedAt: EventId[] = [];
  readonly troubles: unknown[] = [];
  /** The tail when following began; undefined before that. */
  tail: EventId | undefined;
  interruptions = 0;
  /** How many events each call of {@link onEvents} had. */
  readonly announcements: number[] = [];
  readonly #waiting = new Set<() => void>();

  get ids(): EventId[] {
    return this.events.map((event) => event.id);
  }

  onFollowing(tail: EventId): void {
    if (this.tail !== undefined) throw new Error('following began twice');
    this.tail = tail;
    this.#wake();
  }

  onEvents(events: readonly StoredEvent[]): void {
    this.announcements.push(events.length);
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

  /** Resolves once every later append is certain to be heard; gives the tail at that moment. */
  async following(): Promise<EventId> {
    await this.until(() => this.tail !== undefined);
    return this.tail as EventId;
  }

  /** Resolves once an event has come whose id satisfies the condition. */
  heard(condition: (id: EventId) => boolean): Promise<void> {
    return this.until(() => this.ids.some(condition));
  }

  /** Resolves once the condition holds; it is checked whenever the log says something. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
