import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { UIMessageChunk } from 'ai';
import { AnswerEvents } from '../../examples/ai-answer/answer-events.ts';
import { RovingReader } from './resuming-reader.ts';
import type { Stage } from './stage.ts';

export interface ModelAnswerOptions {
  /** How many of the answers do not end before a page stops them. */
  readonly stopped: number;
  /** Parts of each answer, and how many come in a second. */
  readonly parts: number;
  readonly rate: number;
  readonly random: () => number;
}

/** The addresses, beginning with another one for each number. */
export function turned(urls: readonly string[], by: number): string[] {
  return [...urls.slice(by % urls.length), ...urls.slice(0, by % urls.length)];
}

/** One answer: its parts as they were written, and its upload. */
export class ModelAnswer {
  readonly index: number;
  readonly channel: string;
  /** Resolves when the broker has acknowledged the whole answer. */
  readonly uploaded: Promise<void>;
  /** How often the upload was sent. */
  attempts = 0;
  /** When each part was written, by its text; in ms. */
  readonly writtenAt = new Map<string, number>();
  readonly #stage: Stage;
  readonly #options: ModelAnswerOptions;
  readonly waitsForStop: boolean;
  readonly #events = new AnswerEvents();
  readonly #stops: RovingReader;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #waiting = new Set<() => void>();
  #written = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(stage: Stage, index: number, options: ModelAnswerOptions) {
    this.index = index;
    this.channel = `answers.${index}`;
    this.waitsForStop = index < options.stopped;
    this.#stage = stage;
    this.#options = options;
    const onStop = (): void => this.#end({ type: 'abort', reason: 'stop' });
    const urls = turned(stage.urls, index + 1).map(
      (url) => `${url}/events/stops.${index}?last_event_id=earliest`,
    );
    this.#stops = new StopReader(`stops of ${this.channel}`, urls, onStop);
    this.uploaded = this.#upload();
  }

  /** The data of all events. */
  get text(): string {
    return [...this.writtenAt.keys()].join('\n');
  }

  start(): void {
    this.#write({ type: 'start', messageId: this.channel });
    this.#write({ type: 'text-start', id: 'text' });
    const begun = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - begun) / 1_000) * this.#options.rate);
      while (this.#written < Math.min(due, this.#options.parts))
        this.#write({ type: 'text-delta', id: 'text', delta: `${this.index}.${this.#written++},` });
      for (const check of this.#waiting) check();
      if (this.#written === this.#options.parts && !this.waitsForStop) this.#end({ type: 'finish' });
    }, 1_000 / this.#options.rate);
  }

  async reached(share: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.#written >= share * this.#options.parts) resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Stops the answer, as a page does. Resolves with the time until the backend knew, in ms. */
  async stop(): Promise<number> {
    const begun = performance.now();
    const url = this.#stage.urls[this.index % this.#stage.urls.length] as string;
    for (let stopped = false; !stopped;) {
      const response = await fetch(`${url}/publish/stops.${this.index}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#stage.broker(0).key}` },
        body: 'stop',
      });
      await response.arrayBuffer();
      stopped = response.ok;
    }
    await this.#stopped.promise;
    return performance.now() - begun;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#events.end();
    this.#stops.close();
  }

  #write(chunk: UIMessageChunk): void {
    const data = JSON.stringify(chunk);
    this.writtenAt.set(data, performance.now());
    this.#events.append(`data: ${data}\n\n`);
  }

  #end(last: UIMessageChunk): void {
    this.#stopped.resolve();
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#write(last);
    this.#events.end();
    this.#stops.close();
  }

  async #upload(): Promise<void> {
    const { urls } = this.#stage;
    const { key } = this.#stage.broker(0);
    for (; !this.#closed; this.attempts++) {
      const url = urls[(this.index + this.attempts) % urls.length] as string;
      // Not with fetch: its streams take most of the test's CPU.
      const outgoing = request(`${url}/publish/${this.channel}?each=event&close=true`, {
        method: 'POST',
        agent: false,
        headers: { authorization: `Bearer ${key}`, 'idempotency-key': this.channel },
      });
      const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
      pipeline(this.#events.read(), outgoing).catch(() => outgoing.destroy());
      try {
        const [response] = await answered;
        if (response.statusCode === 200) return;
      } catch {
        // The replica is away.
      } finally {
        outgoing.destroy();
      }
      // Each upload is longer than the one before. Uploads that come back at once keep an overloaded Redis busy.
      await delay(Math.min(250 * 2 ** this.attempts, 4_000) * (0.5 + this.#options.random()));
    }
  }
}

class StopReader extends RovingReader {
  readonly #onStop: () => void;

  constructor(name: string, urls: readonly string[], onStop: () => void) {
    super(name, urls);
    this.#onStop = onStop;
  }

  protected override record(type: string, id: string, data: string): void {
    super.record(type, id, data);
    if (type === 'message') this.#onStop();
  }
}
