const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

/** Asks the log again until it answers. Publishers get an error at once; subscribers wait. */
export class PatientReads {
  readonly #onFailed: (error: unknown) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  /** @param onFailed called for each attempt that failed */
  constructor(onFailed: (error: unknown) => void) {
    this.#onFailed = onFailed;
  }

  /** Asks until there is an answer, then calls `found`. */
  ask<T>(question: () => Promise<T>, found: (answer: T) => void, delay = FIRST_RETRY_MS): void {
    question().then(
      (answer) => {
        if (!this.#stopped) found(answer);
      },
      (error: unknown) => {
        if (this.#stopped) return;
        this.#onFailed(error);
        this.after(delay * (0.5 + Math.random()), () =>
          this.ask(question, found, Math.min(delay * 2, LAST_RETRY_MS)),
        );
      },
    );
  }

  /** Calls the action after so many ms, unless stopped before. */
  after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Asks no more, and calls nothing more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
