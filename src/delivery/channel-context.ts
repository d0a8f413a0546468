import type { ChannelName } from '../events/channel-name.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { EventLog } from '../log/event-log.ts';
import type { FairLoop } from './fair-loop.ts';
import type { HeldBudget } from './held-events.ts';
import type { Instruments } from './instruments.ts';
import type { LastRun, RecentBudget } from './recent-events.ts';
import type { Retention } from './retention.ts';

/** The parts that all channels of a replica share. */
export interface ChannelContext {
  readonly log: EventLog;
  readonly loop: FairLoop;
  readonly instruments: Instruments;
  readonly recentBudget: RecentBudget;
  readonly heldBudget: HeldBudget;
  readonly policies: Pick<ChannelPolicies, 'historyOf'>;
  readonly lastRun: LastRun;
  /** Called when the log could not be read or followed. */
  readonly onTrouble: (channel: ChannelName, error: unknown) => void;
}

/** The parts with which one channel reads its log. */
export interface ReadContext {
  readonly log: EventLog;
  readonly channel: ChannelName;
  readonly loop: FairLoop;
  readonly budget: RecentBudget;
  readonly retention: Retention;
  /** Called for each read that failed. */
  readonly onFailed: (error: unknown) => void;
}

/** Withdraws a question. Not to be called after the answer. */
export type Withdraw = () => void;
