const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2_000;

/** Repeats reads of the log until the log answers. Subscribers wait, while publishers get an error at once. */
export class PatientReads {
  readonly #onFailed: (error: unknown) => void;
  /** Undefined until there is one. */
  #timers: Set<NodeJS.Timeout> | undefined;
  #stopped = false;

  /** @param onFailed called for each failed attempt */
  constructor(onFailed: (error: unknown) => void) {
    this.#onFailed = onFailed;
  }

  /** Repeats `question` until it succeeds, then calls `found`. */
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

  /** Calls the action after a delay in ms, unless stopped before. */
  after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers?.delete(timer);
      action();
    }, ms);
    timer.unref();
    this.#timers ??= new Set();
    this.#timers.add(timer);
  }

  /** Asks no more, and calls nothing more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers ?? []) clearTimeout(timer);
    this.#timers = undefined;
  }
}
