/** How much of an answer the backend keeps in memory, so that it can send the whole answer again. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** In ms. The broker ends an upload that was silent for 60 s, and a model may think for longer. */
const COMMENT_INTERVAL_MS = 15_000;

const encoder = new TextEncoder();

/** The events of one answer in the format of Server-Sent Events. Each reader gets all of them, from the first one on. */
export class AnswerEvents {
  readonly #events: string[] = [];
  #bytes = 0;
  #ended = false;
  #changed = Promise.withResolvers<void>();

  /** Adds an event. Returns false when the answer is as long as it may be: no more events are taken. */
  append(event: string): boolean {
    if (this.#bytes + event.length > MAX_ANSWER_BYTES) return false;
    this.#bytes += event.length;
    this.#events.push(event);
    this.#notify();
    return true;
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Reads the events, and waits for more until the answer has ended. While nothing comes, it sends comments. */
  async *read(): AsyncGenerator<Uint8Array, void> {
    const timer = setInterval(() => this.#notify(), COMMENT_INTERVAL_MS);
    try {
      for (let next = 0; ;) {
        const changed = this.#changed.promise;
        const events = this.#events.slice(next);
        next += events.length;
        if (events.length > 0) yield encoder.encode(events.join(''));
        else if (this.#ended) return;
        else {
          await changed;
          if (next === this.#events.length) yield encoder.encode(':\n');
        }
      }
    } finally {
      clearInterval(timer);
    }
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
