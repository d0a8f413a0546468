const FIRST_RETRY = 100;
const LAST_RETRY = 2_000;

/** Outward a log that is away is an error at once; inward it is asked again until it answers. */
export class PatientReads {
  readonly #onFailed: (error: unknown) => void;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  /** `onFailed` hears of each attempt that came to nothing. */
  constructor(onFailed: (error: unknown) => void) {
    this.#onFailed = onFailed;
  }

  /** Asks until there is an answer. */
  ask<T>(question: () => Promise<T>, found: (answer: T) => void, delay = FIRST_RETRY): void {
    question().then(
      (answer) => {
        if (!this.#stopped) found(answer);
      },
      (error: unknown) => {
        if (this.#stopped) return;
        this.#onFailed(error);
        this.after(delay * (0.5 + Math.random()), () =>
          this.ask(question, found, Math.min(delay * 2, LAST_RETRY)),
        );
      },
    );
  }

  /** Calls the action in so many ms, unless stopped before. */
  after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }

  /** Nothing is asked or called any more. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}
