/** How many streams each holder has. Only holders with a stream have an entry, so there are never more entries than streams. */
export class HolderCounts {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  /** @param most for each holder; with Infinity nothing is counted */
  constructor(most: number) {
    this.#most = most;
  }

  full(holder: string | undefined): boolean {
    return holder !== undefined && (this.#open.get(holder) ?? 0) >= this.#most;
  }

  add(holder: string | undefined): void {
    if (holder === undefined || this.#most === Infinity) return;
    this.#open.set(holder, (this.#open.get(holder) ?? 0) + 1);
  }

  remove(holder: string | undefined): void {
    if (holder === undefined || this.#most === Infinity) return;
    const left = (this.#open.get(holder) ?? 0) - 1;
    if (left > 0) this.#open.set(holder, left);
    else this.#open.delete(holder);
  }
}
