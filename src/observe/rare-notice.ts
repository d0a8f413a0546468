/**
 * Says a thing of each kind at most once in an interval: the first time at once, and then, with the next one after the
 * interval, how often it has happened since. What is said stays bounded however many come, and needs no timer.
 */
export class RareNotice<Kind extends string, Detail> {
  readonly #said = new Map<Kind, { at: number; since: number }>();
  readonly #say: (kind: Kind, times: number, latest: Detail) => void;
  readonly #interval: number;
  readonly #now: () => number;

  /** @param interval ms */
  constructor(
    say: (kind: Kind, times: number, latest: Detail) => void,
    interval: number,
    now: () => number = () => performance.now(),
  ) {
    this.#say = say;
    this.#interval = interval;
    this.#now = now;
  }

  note(kind: Kind, latest: Detail): void {
    const now = this.#now();
    const said = this.#said.get(kind);
    if (said !== undefined && now - said.at < this.#interval) {
      said.since++;
      return;
    }
    this.#said.set(kind, { at: now, since: 0 });
    this.#say(kind, (said?.since ?? 0) + 1, latest);
  }
}
