/**
 * Reports occurrences of each kind at most once in an interval. The first occurrence is reported at once. The first
 * occurrence after the interval is reported with the number of occurrences since the last report. There is no timer, so
 * an occurrence within the interval is only counted.
 */
export class RareNotice<Kind extends string, Detail> {
  readonly #reported = new Map<Kind, { at: number; since: number }>();
  readonly #report: (kind: Kind, times: number, latest: Detail) => void;
  readonly #interval: number;
  readonly #now: () => number;

  /** @param interval ms */
  constructor(
    report: (kind: Kind, times: number, latest: Detail) => void,
    interval: number,
    now: () => number = () => performance.now(),
  ) {
    this.#report = report;
    this.#interval = interval;
    this.#now = now;
  }

  note(kind: Kind, latest: Detail): void {
    const now = this.#now();
    const reported = this.#reported.get(kind);
    if (reported !== undefined && now - reported.at < this.#interval) {
      reported.since++;
      return;
    }
    this.#reported.set(kind, { at: now, since: 0 });
    this.#report(kind, (reported?.since ?? 0) + 1, latest);
  }
}
