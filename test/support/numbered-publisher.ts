import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'node:http';

export interface PublisherOptions {
  /** The brokers to publish to, in turn. When one fails, the publisher tries the next one. */
  readonly urls: readonly string[];
  readonly key: string;
  readonly channel: string;
  /** Part of every event's text, so that several publishers can share a channel. */
  readonly name: string;
  /** Events per second. */
  readonly rate: number;
  /** Bytes of padding in each event. */
  readonly padding?: number;
  /**
   * Whether a failed publish is repeated, with the same idempotency key, until it is acknowledged. Off for faults in
   * which Redis loses data, because Redis loses the key too.
   */
  readonly retries?: boolean;
  /** Whether publishes have an idempotency key, by default. Without one, nothing should be repeated. */
  readonly keyed?: boolean;
}

export interface Acknowledged {
  readonly text: string;
  readonly id: string;
}

/** Publishes `<name>-1`, `<name>-2`, … one after the other, and records what the broker acknowledged. */
export class NumberedPublisher {
  readonly acknowledged: Acknowledged[] = [];
  /** Every text that it has tried to publish. */
  readonly attempted = new Set<string>();
  readonly failures = new Map<string, number>();
  readonly #options: PublisherOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #waiting: { count: number; resolve: () => void }[] = [];
  #turn = 0;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Resolves once `count` events are acknowledged. */
  async reached(count: number): Promise<void> {
    if (this.acknowledged.length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Waits for the publish under way, then stops. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.#agent.destroy();
  }

  /** Publishes one event and repeats it until it is acknowledged. */
  async publishSurely(text: string): Promise<Acknowledged> {
    for (;;) {
      const done = await this.#publish(text);
      if (done !== undefined) return done;
      await delay(50);
    }
  }

  async #run(): Promise<void> {
    const { name, rate, retries = true } = this.#options;
    const began = performance.now();
    for (let n = 1; !this.#stopped; n++) {
      const text = `${name}-${n}`;
      if (retries) await this.publishSurely(text);
      else await this.#publish(text);
      // Does not catch up after a fault: the rate is an upper bound, not a goal.
      const due = Math.max(began + (n * 1000) / rate - performance.now(), 0);
      await delay(Math.min(due, 1000 / rate));
    }
  }

  async #publish(text: string): Promise<Acknowledged | undefined> {
    this.attempted.add(text);
    const { urls } = this.#options;
    const url = urls[this.#turn % urls.length] as string;
    try {
      const { status, body } = await this.#post(url, text);
      if (status === 200) {
        const done = { text, id: (JSON.parse(body) as { id: string }).id };
        this.acknowledged.push(done);
        for (const one of this.#waiting) if (this.acknowledged.length >= one.count) one.resolve();
        return done;
      }
      this.#failed(String(status));
    } catch (error) {
      this.#failed((error as NodeJS.ErrnoException).code ?? 'unknown');
    }
    this.#turn++;
    return undefined;
  }

  #failed(why: string): void {
    this.failures.set(why, (this.failures.get(why) ?? 0) + 1);
  }

  #post(url: string, text: string): Promise<{ status: number; body: string }> {
    const { channel, key, padding = 0, keyed = true } = this.#options;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        `${url}/publish/${channel}`,
        {
          method: 'POST',
          agent: this.#agent,
          timeout: 5_000,
          headers: { authorization: `Bearer ${key}`, ...(keyed && { 'idempotency-key': text }) },
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (body += chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
          response.on('error', reject);
        },
      );
      outgoing.on('timeout', () =>
        outgoing.destroy(Object.assign(new Error('no answer'), { code: 'NO_ANSWER' })),
      );
      outgoing.on('error', reject);
      outgoing.end(padding > 0 ? `${text} ${'x'.repeat(padding)}` : text);
    });
  }
}
