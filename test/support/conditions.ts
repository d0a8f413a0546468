/** Lets tests wait until what was recorded satisfies a condition. */
export class Conditions {
  readonly #waiting = new Set<() => void>();

  /** Resolves once the condition holds; checks it now, and at each {@link check}. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Call this after each change of what is recorded. */
  check(): void {
    for (const check of this.#waiting) check();
  }
}
