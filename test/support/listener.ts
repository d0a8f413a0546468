import type { ChannelState, LogListener } from '../../src/log/event-log.ts';
import type { EventId, StoredEvent } from '../../src/events/event.ts';
import { Conditions } from './conditions.ts';

/** Records the calls of a log, and lets a test wait for them. */
export class Listener implements LogListener {
  readonly events: StoredEvent[] = [];
  readonly resumedAt: EventId[] = [];
  /** The tail of each end that the log reported. */
  readonly endedAt: EventId[] = [];
  readonly troubles: unknown[] = [];
  /** The tail when following began; undefined before. */
  tail: EventId | undefined;
  interruptions = 0;
  /** The number of events in each call of {@link onEvents}. */
  readonly announcements: number[] = [];
  readonly #conditions = new Conditions();

  get ids(): EventId[] {
    return this.events.map((event) => event.id);
  }

  onFollowing({ tail, status }: ChannelState): void {
    if (this.tail !== undefined) throw new Error('following began twice');
    this.tail = tail;
    if (status === 'ended') this.endedAt.push(tail);
    this.#conditions.check();
  }

  onEvents(events: readonly StoredEvent[]): void {
    this.announcements.push(events.length);
    this.events.push(...events);
    this.#conditions.check();
  }

  onTrouble(error: unknown): void {
    this.troubles.push(error);
    this.#conditions.check();
  }

  onInterrupted(): void {
    this.interruptions++;
    this.#conditions.check();
  }

  onEnded(tail: EventId): void {
    this.endedAt.push(tail);
    this.#conditions.check();
  }

  onResumed({ tail, status }: ChannelState): void {
    this.resumedAt.push(tail);
    if (status === 'ended') this.endedAt.push(tail);
    this.#conditions.check();
  }

  /** Resolves with the tail once every later append is certain to be announced to this listener. */
  async following(): Promise<EventId> {
    await this.until(() => this.tail !== undefined);
    return this.tail as EventId;
  }

  /** Resolves once an event has arrived whose id satisfies the condition. */
  heard(condition: (id: EventId) => boolean): Promise<void> {
    return this.until(() => this.ids.some(condition));
  }

  /** Resolves once the condition holds; checks it after each call of the log. */
  until(condition: () => boolean): Promise<void> {
    return this.#conditions.until(condition);
  }
}
