import type { EventId, StoredEvent } from './event.ts';

/** A form in which a run is written, such as SSE frames. Its identity is the key under which a run keeps what was made. */
export interface RunView<Form> {
  /** Called once for each run. The form is shared by all who get it, and is not changed. */
  encode(run: EventRun): Form;
}

/**
 * Consecutive events of one channel: what arrived together, a page of the log, or what a subscriber missed. Everybody
 * who gets the run gets the same object, so each form of it is made once.
 */
export class EventRun {
  /** The position before the first event. Whoever stands exactly there can be given the run. */
  readonly from: EventId;
  readonly events: readonly StoredEvent[];
  /** Set when this run is the end of a longer one: the longer run, and how many of its events come before this one. */
  readonly partOf: { readonly whole: EventRun; readonly skipped: number } | undefined;
  // Nearly all runs are written in one form; so that one is kept without a map.
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
  }

  /** The position after the last event. */
  get to(): EventId {
    return this.events.at(-1)?.id ?? this.from;
  }

  /** This run in that form. The first call makes the form. */
  as<Form>(view: RunView<Form>): Form {
    if (this.#view === view) return this.#form as Form;
    return this.#asOther(view);
  }

  /** The run without its first `count` events, which can share its forms. */
  without(count: number): EventRun {
    if (count === 0) return this;
    const { whole, skipped } = this.partOf ?? { whole: this, skipped: 0 };
    const from = this.events[count - 1]?.id ?? this.to;
    return new EventRun(from, this.events.slice(count), { whole, skipped: skipped + count });
  }

  #asOther<Form>(view: RunView<Form>): Form {
    if (this.#view === undefined) {
      const form = view.encode(this);
      this.#view = view;
      this.#form = form;
      return form;
    }
    const others = (this.#others ??= new Map());
    if (others.has(view)) return others.get(view) as Form;
    const form = view.encode(this);
    others.set(view, form);
    return form;
  }
}
