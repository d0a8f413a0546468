import type { ChannelName } from '../events/channel-name.ts';
import type { EventRun } from '../events/event-run.ts';
import type { EventId } from '../events/event.ts';
import type { LogTrouble } from '../events/log-trouble.ts';

/** Where a subscription writes: one connection. A sink never blocks: `writable` says whether it takes more. */
export interface Sink {
  /** False while written bytes wait in the process. The owner calls {@link Subscription.resume} when they have left. */
  readonly writable: boolean;
  /**
   * Writes the events of the run in the form of this connection.
   * @param live whether all live subscribers of the channel get this same run, one after the other
   */
  deliver(run: EventRun, live?: boolean): void;
  /** Writes a notice that events of the channel may be missing after `position`. */
  gap(notice: GapNotice, position: EventId): void;
  /** The log refuses or is away, so there are no events to write now. Called once for each reason. */
  waiting(reason: LogTrouble): void;
  /** Everything up to `position` has been written; from now on events arrive as they are published. */
  ready(channel: ChannelName, position: EventId): void;
  /** The channel has ended at `position`, and all its events have been written. The subscription writes nothing more. */
  ended(channel: ChannelName, position: EventId): void;
}

export interface GapNotice {
  readonly channel: ChannelName;
  /** The last event that the subscriber saw; null when its cursor was unreadable, or when it has seen nothing. */
  readonly after: EventId | null;
  /** The first event that follows, if any. */
  readonly before: EventId | null;
}
