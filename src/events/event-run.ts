import type { EventId, StoredEvent } from './event.ts';
import { countWithin } from './record.ts';

/** The largest number of bytes that a stream sends for one run of several events. */
const MAX_RUN_BYTES = 256 * 1024;

/** Encodes a run in one form, such as SSE frames. The run keeps the result with the view object as its key. */
export interface RunView<Form> {
  /** Called once for each run. All subscribers share the result, so nobody may change it. */
  encode(run: EventRun): Form;
}

/**
 * Consecutive events of one channel: events that arrived together, a page of the log, or events that a subscriber missed.
 * All subscribers get the same object, so each form of the run is made once.
 */
export class EventRun {
  /** The position before the first event. A subscriber at exactly this position can be given the run. */
  readonly from: EventId;
  readonly events: readonly StoredEvent[];
  /** Set when this run is the end of a longer one: the longer run, and how many of its events come before this one. */
  readonly partOf: { readonly whole: EventRun; readonly skipped: number } | undefined;
  /** The position after the last event. */
  readonly to: EventId;
  /** Whether only one subscriber is given this run. The fan-out sets it. */
  isForOne = false;
  // Most runs are written in one form only, so the first form needs no map.
  #view: RunView<unknown> | undefined;
  #form: unknown;
  #others: Map<RunView<unknown>, unknown> | undefined;

  constructor(
    from: EventId,
    events: readonly StoredEvent[],
    partOf?: { readonly whole: EventRun; readonly skipped: number },
  ) {
    this.from = from;
    this.events = events;
    this.partOf = partOf;
    this.to = events[events.length - 1]?.id ?? from;
  }

  /** Makes a run of the events after `from`, or of the first of them when all would be too many bytes for one run. */
  static bounded(from: EventId, events: readonly StoredEvent[]): EventRun {
    const count = countWithin(events, MAX_RUN_BYTES);
    return new EventRun(from, count < events.length ? events.slice(0, count) : events);
  }

  /** Returns the view's form of this run. The first call makes the form. */
  as<Form>(view: RunView<Form>): Form {
    if (this.#view === view) return this.#form as Form;
    return this.#asOther(view);
  }

  /** Returns the run without its first `count` events. The new run can use the forms of this one. */
  without(count: number): EventRun {
    if (count === 0) return this;
    const { whole, skipped } = this.partOf ?? { whole: this, skipped: 0 };
    const from = this.events[count - 1]?.id ?? this.to;
    return new EventRun(from, this.events.slice(count), { whole, skipped: skipped + count });
  }

  #asOther<Form>(view: RunView<Form>): Form {
    if (this.#others?.has(view) === true) return this.#others.get(view) as Form;
    const form = view.encode(this);
    // Asked again, because the view may have made its form from another form of this run.
    if (this.#view === undefined) {
      this.#view = view;
      this.#form = form;
    } else {
      (this.#others ??= new Map()).set(view, form);
    }
    return form;
  }
}
