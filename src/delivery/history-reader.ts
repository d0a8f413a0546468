import type { ChannelName } from '../events/channel-name.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { Start } from '../events/cursor.ts';
import { EventRun } from '../events/event-run.ts';
import { ORIGIN, lastIdBefore } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { EventLog, HistoryPolicy } from '../log/event-log.ts';
import type { FairLoop } from './fair-loop.ts';
import { isLoss } from './start-rules.ts';

/** The largest number of events that are read in one step. */
const STEP_LIMIT = 256;

/** A start among the kept events. */
export type HistoryStart = Exclude<Start, { readonly from: 'state' }>;

export interface HistoryReaderOptions {
  readonly log: Pick<EventLog, 'read' | 'rewind' | 'state'>;
  readonly loop: Pick<FairLoop, 'inTurn'>;
  readonly policies: Pick<ChannelPolicies, 'historyOf'>;
}

/** Where a read of the history has come to. */
export interface HistoryEnd {
  /** The position to go on from. */
  readonly next: EventId;
  /** False when events may be missing after the start. */
  readonly complete: boolean;
  /** Whether {@link next} is the end of the channel. */
  readonly ended: boolean;
  /** Whether the log had more events after {@link next}, which the reader did not take. */
  readonly more: boolean;
}

/** Reads the kept events of a channel from the log, for readers that have no subscription. Each read sees every event published before. */
export class HistoryReader {
  readonly #options: HistoryReaderOptions;

  constructor(options: HistoryReaderOptions) {
    this.#options = options;
  }

  /**
   * Reads up to `limit` events, in steps. `take` gets each step's events in a turn of the loop of its own, and returns how many
   * of them it has taken; the read ends when these are not all. Begins where a subscription with the same start would.
   * @throws BrokerError `log-unavailable`
   */
  async read(
    channel: ChannelName,
    start: HistoryStart,
    limit: number,
    take: (run: EventRun) => number,
  ): Promise<HistoryEnd> {
    const { log, loop, policies } = this.#options;
    const policy = policies.historyOf(channel);
    if (start.from === 'tail' || start.from === 'unreadable') {
      const { tail, status } = await log.state(channel);
      const complete = start.from === 'tail';
      return { next: tail, complete, ended: status === 'ended', more: false };
    }
    let position = await this.#positionOf(channel, start, policy);
    let complete = true;
    for (let left = limit, isFirst = true; ; isFirst = false) {
      const page = await log.read(channel, position, Math.min(left, STEP_LIMIT), policy);
      const { events, tail } = page;
      const [first] = events;
      if (!page.complete) {
        // Events were dropped between two steps. The next read says so.
        if (!isFirst) return { next: position, complete, ended: false, more: false };
        complete = !isLoss(first?.prev ?? tail, start);
        if (first === undefined) position = tail;
      }
      const run = new EventRun(position, events);
      const taken = first === undefined ? 0 : await loop.inTurn(() => take(run));
      position = events[taken - 1]?.id ?? position;
      left -= taken;
      if (taken < events.length || left === 0 || events.length === 0 || position === tail)
        return { next: position, complete, ended: page.ended && position === tail, more: position !== tail };
    }
  }

  #positionOf(
    channel: ChannelName,
    start: Exclude<HistoryStart, { readonly from: 'tail' | 'unreadable' }>,
    policy: HistoryPolicy,
  ): EventId | Promise<EventId> {
    if (start.from === 'id') return start.id;
    if (start.from === 'earliest') return ORIGIN;
    if (start.from === 'time') return lastIdBefore(start.ms);
    return this.#options.log.rewind(channel, Math.min(start.count, policy.size), policy);
  }
}
