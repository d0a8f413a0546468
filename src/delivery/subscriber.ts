import type { EventRun } from '../events/event-run.ts';
import type { EventId } from '../events/event.ts';

/** What a channel and its fan-out know of a subscription. */
export interface Subscriber {
  /** The last event written, or where to begin. */
  readonly position: EventId;
  /** How many events the channel had taken in when the subscriber came. The channel sets it. */
  arrivedAt: number;
  /** The subscriber's place among the live ones of its channel; -1 while it is not live. The fan-out sets it. */
  liveIndex: number;
  /** Live: writes a run that begins at exactly {@link position}. False when the sink was full and nothing was written. */
  deliver(run: EventRun): boolean;
  /** Not live any more: goes on from its position as soon as the sink takes more. */
  catchUp(): void;
  /** Where new events begin, for a subscriber that asked for nothing else. Counts once, as soon as the channel knows. */
  anchor(tail: EventId): void;
  /** The next step of catching up may be taken. */
  schedule(): void;
  /** The log cannot be read, or followed, now; it is tried again. */
  onTrouble(error: unknown): void;
}
