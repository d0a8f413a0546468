import { setTimeout as delay } from 'node:timers/promises';
import type { Acknowledged } from './numbered-publisher.ts';

export interface BodiesOptions {
  /** The brokers to publish to, in turn. When one fails, the publisher tries the next one. */
  readonly urls: readonly string[];
  readonly key: string;
  readonly channels: readonly string[];
  /** Part of every event's text. */
  readonly name: string;
  /** Events in a body. */
  readonly size: number;
  /** In ms, between two bodies. */
  readonly pause: number;
  /** Whether a body that failed is sent again whole, with the same idempotency key, until it is acknowledged. */
  readonly retries?: boolean;
  readonly random: () => number;
}

/** What was published to one channel. */
export class ChannelRecord {
  readonly acknowledged: Acknowledged[] = [];
  readonly attempted = new Set<string>();
}

class NotAcknowledged extends Error {}

/** Sends one body of many events after the other, and repeats those that were not acknowledged. */
export abstract class BodiesPublisher {
  /** By channel. */
  readonly records: ReadonlyMap<string, ChannelRecord>;
  readonly failures = new Map<string, number>();
  /** How many bodies were acknowledged. */
  bodies = 0;
  protected readonly options: BodiesOptions;
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  #turn = 0;
  #body = 0;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: BodiesOptions) {
    this.options = options;
    this.records = new Map(options.channels.map((channel) => [channel, new ChannelRecord()]));
  }

  start(): void {
    this.#running = this.#run();
  }

  async reached(bodies: number): Promise<void> {
    if (this.bodies >= bodies) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count: bodies, resolve }));
  }

  /** Waits for the body under way to be acknowledged, then stops. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  protected abstract send(url: string, body: number): Promise<void>;

  protected record(channel: string): ChannelRecord {
    return this.records.get(channel) as ChannelRecord;
  }

  /** Sends an array of events with `POST /publish`. Returns the channel and the id of each. */
  protected async post(
    url: string,
    events: readonly object[],
    idempotencyKey: string,
  ): Promise<readonly { readonly channel: string; readonly id: string }[]> {
    const answer = await fetch(`${url}/publish`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.options.key}`,
        'content-type': 'application/json',
        'idempotency-key': idempotencyKey,
      },
      body: JSON.stringify(events),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => this.failed('unanswered'));
    const text = await answer.text().catch(() => this.failed('unanswered'));
    if (answer.status !== 200) this.failed(String(answer.status));
    return (JSON.parse(text) as { events: { channel: string; id: string }[] }).events;
  }

  protected failed(why: string): never {
    this.failures.set(why, (this.failures.get(why) ?? 0) + 1);
    // An answer such as 400 would come again for ever.
    throw why.startsWith('4') ? new Error(`a body was refused: ${why}`) : new NotAcknowledged(why);
  }

  /** Sends one body, and repeats it until it is acknowledged if failed bodies are repeated. */
  async once(): Promise<void> {
    const { urls, retries = true } = this.options;
    const body = ++this.#body;
    for (;;) {
      try {
        await this.send(urls[this.#turn % urls.length] as string, body);
        this.bodies++;
        for (const one of this.#waiting) if (this.bodies >= one.count) one.resolve();
        return;
      } catch (error) {
        this.#turn++;
        if (!(error instanceof NotAcknowledged)) throw error;
        if (!retries) return;
        await delay(50);
      }
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.once();
      await delay(this.options.pause);
    }
  }
}
