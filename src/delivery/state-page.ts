import { EventRun } from '../events/event-run.ts';
import { EVENT_OVERHEAD_BYTES, ORIGIN } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import { sentLength } from '../events/record.ts';
import type { LatestCursor, LatestPage } from '../log/event-log.ts';

/**
 * A page of a channel's state: the newest events of some keys, in the order of their ids. Subscribers share it. The events are not
 * consecutive in the channel.
 */
export class StatePage {
  /** The events in the form that sinks take. Most pages are one run. Each run has at least one event. */
  readonly runs: readonly EventRun[];
  /** The tail of the channel when the first page was read. After the last page, the reader goes on from here. */
  readonly upTo: EventId;
  /** Where the next page begins; undefined after the last page. */
  readonly next: LatestCursor | undefined;
  /** Bytes that the page takes in memory at the most, with the form in which its runs are sent. */
  readonly size: number;

  constructor(after: LatestCursor | undefined, { events, tail, next }: LatestPage) {
    const runs: EventRun[] = [];
    let from = ORIGIN;
    for (let at = 0; at < events.length;) {
      const run = EventRun.bounded(from, at === 0 ? events : events.slice(at));
      runs.push(run);
      at += run.events.length;
      from = run.to;
    }
    this.runs = runs;
    this.upTo = after?.upTo ?? tail;
    this.next = next;
    this.size = events.reduce(
      (sum, event) => sum + event.record.length + EVENT_OVERHEAD_BYTES + sentLength(event),
      EVENT_OVERHEAD_BYTES,
    );
  }
}
