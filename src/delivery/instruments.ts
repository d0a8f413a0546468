import type { ChannelName } from '../events/channel-name.ts';

/** Receives the counts and times of delivery. `metrics.ts` makes Prometheus series from them. */
export interface Instruments {
  /** Events of the channel were written to live subscribers. Summed over subscribers. Called once for each run. */
  delivered(count: number, channel: ChannelName): void;
  /** Events from the log or from recent events were written to subscribers that caught up. Summed over subscribers. */
  replayed(count: number): void;
  /** A subscriber got a gap: events may be missing. */
  gap(): void;
  /** Missed announcements were read from the log. */
  healed(): void;
  /** The time from an event's timestamp in the log to the write to its last live subscriber. */
  fannedOut(seconds: number): void;
}
