import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { eventData } from './event-marker.ts';
import { fill } from './system.ts';
import type { SystemNode, SystemWire } from './system.ts';

/** How long a publish may take until it counts as failed, in ms. */
const ANSWER_LIMIT_MS = 5_000;
/** How long the publisher waits before it sends a failed publish again, in ms. */
const AGAIN_MS = 100;
/** How much of a refusal is kept for messages, in characters. */
const KEPT_ANSWER = 200;

/** An event that the publisher has sent. */
export interface SentEvent {
  attempts: number;
  /** When the server acknowledged it, on the monotonic clock in ms; undefined as long as it did not. */
  acknowledgedAt: number | undefined;
}

export interface PersistentPublisherOptions {
  readonly run: string;
  readonly publisher: number;
  readonly channel: string;
  readonly wire: SystemWire;
  /** Returns the node for the next attempt. */
  readonly node: () => SystemNode;
  /** Events per second. */
  readonly rate: number;
  /** The size of the data of each event, in bytes. */
  readonly size: number;
}

/** Publishes numbered events one after the other, and sends each again until it is acknowledged. */
export class PersistentPublisher {
  /** The event with number 1 comes first. */
  readonly sent: SentEvent[] = [];
  /** Why the last attempt failed. */
  lastFailure: string | undefined;
  readonly #options: PersistentPublisherOptions;
  readonly #agents = {
    'http:': new HttpAgent({ keepAlive: true }),
    'https:': new HttpsAgent({ keepAlive: true }),
  };
  #state: 'publishing' | 'stopping' | 'stopped' = 'publishing';
  #running: Promise<void> | undefined;

  constructor(options: PersistentPublisherOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Waits until the publish under way is acknowledged, but at most `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    this.#state = 'stopping';
    await Promise.race([this.#running, delay(limitMs, undefined, { ref: false })]);
    this.#state = 'stopped';
    for (const agent of Object.values(this.#agents)) agent.destroy();
    await this.#running;
  }

  async #run(): Promise<void> {
    const began = performance.now();
    const { rate } = this.#options;
    while (this.#state === 'publishing') {
      const event: SentEvent = { attempts: 0, acknowledgedAt: undefined };
      this.sent.push(event);
      await this.#publishSurely(this.sent.length, event);
      // Does not catch up after a fault: the rate is an upper bound.
      const due = began + (this.sent.length * 1_000) / rate - performance.now();
      await delay(Math.min(Math.max(due, 0), 1_000 / rate));
    }
  }

  async #publishSurely(number: number, event: SentEvent): Promise<void> {
    const { run, publisher, channel, wire, size, node } = this.#options;
    const values = {
      channel,
      data: eventData(run, { publisher, number }, size),
      key: `${run}-${publisher}-${number}`,
    };
    const body = fill(wire.publishBody, values);
    const headers = Object.fromEntries(
      Object.entries(wire.publishHeaders).map(([name, value]) => [name, fill(value, values)]),
    );
    while (this.#state !== 'stopped') {
      event.attempts++;
      const failure = await this.#post(new URL(fill(node().publishUrl, values)), headers, body);
      if (failure === undefined) {
        event.acknowledgedAt = performance.now();
        return;
      }
      this.lastFailure = failure;
      await delay(AGAIN_MS);
    }
  }

  /** Returns why the publish failed, or undefined. */
  async #post(
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string,
  ): Promise<string | undefined> {
    const isTls = url.protocol === 'https:';
    return await new Promise((resolve) => {
      const request = (isTls ? httpsRequest : httpRequest)(
        url,
        {
          method: 'POST',
          agent: this.#agents[isTls ? 'https:' : 'http:'],
          timeout: ANSWER_LIMIT_MS,
          headers,
        },
        (response) => {
          let answer = '';
          response.setEncoding('utf8').on('data', (text: string) => {
            answer = (answer + text).slice(0, KEPT_ANSWER);
          });
          const status = response.statusCode ?? 0;
          response.on('end', () =>
            resolve(status >= 200 && status < 300 ? undefined : `answer ${status}: ${answer}`),
          );
          response.on('error', (error) => resolve(error.message));
        },
      );
      request.on('timeout', () => request.destroy(new Error('no answer')));
      request.on('error', (error) => resolve(error.message));
      request.end(body);
    });
  }
}
