import type { EventRun } from '../events/event-run.ts';
import type { EventId } from '../events/event.ts';

/** The part of a subscription that its channel and the fan-out use. */
export interface Subscriber {
  /** The id of the last written event, or the position at which to begin. */
  readonly position: EventId;
  /** How many events the channel had taken in when the subscriber came. The channel sets it. */
  arrivedAt: number;
  /** The subscriber's place among the live ones of its channel; -1 while it is not live. The fan-out sets it. */
  liveIndex: number;
  /** For a live subscriber: writes a run that begins at exactly {@link position}. Returns false when the sink was full. */
  deliver(run: EventRun): boolean;
  /** Ends being live. Catches up from {@link position} when the sink accepts more. */
  catchUp(): void;
  /** Sets the position for a subscriber that starts at the tail. Only the first call counts. */
  anchor(tail: EventId): void;
  /** Schedules the next step of catching up. */
  schedule(): void;
  /** The log cannot be read or followed now. The channel tries again. */
  onTrouble(error: unknown): void;
}
