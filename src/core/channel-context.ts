import type { ChannelName } from './channel-name.ts';
import type { EventLog } from './event-log.ts';
import type { EventId } from './event.ts';
import type { FairLoop } from './fair-loop.ts';
import type { HeldBudget } from './held-events.ts';
import type { Instruments } from './instruments.ts';
import type { RecentBudget } from './recent-events.ts';
import type { HistoryLimits } from './retention.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** What all channels of a replica share. */
export interface ChannelContext {
  readonly log: EventLog;
  readonly loop: FairLoop;
  readonly instruments: Instruments;
  readonly recentBudget: RecentBudget;
  readonly heldBudget: HeldBudget;
  readonly history: HistoryLimits;
  /** What was joined last, of whichever channel: kept for all of them together, it stays one buffer. */
  readonly lastJoin: { of?: Joined | undefined };
  /** The log could not be read, or followed. */
  readonly onTrouble: (channel: ChannelName, error: unknown) => void;
}

/** The newest events of a channel as one buffer: those after `from`, up to `to`. */
interface Joined {
  /** The channel it belongs to. */
  readonly channel: object;
  readonly from: EventId;
  readonly to: EventId;
  readonly bytes: SharedBytes;
  readonly count: number;
}
