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
  /**
   * For a live subscriber: writes a run that begins at exactly {@link position}. False when the sink was full and
   * nothing was written.
   */
  deliver(run: EventRun): boolean;
  /** The subscriber is no longer live. It goes on from its position as soon as the sink takes more. */
  catchUp(): void;
  /** Sets where a subscriber begins that asked for new events only. Only the first call counts. */
  anchor(tail: EventId): void;
  /** Queues the next step of catching up. */
  schedule(): void;
  /** The log cannot be read or followed now. The channel tries again. */
  onTrouble(error: unknown): void;
}
