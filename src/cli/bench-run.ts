import type { Agent as AgentOverTcp, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as requestOverTls } from 'node:https';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request as requestOverTcp } from '../node/http.ts';
import { BenchSubscriber, BenchTally, benchData } from './bench-subscriber.ts';
import { CliError } from './cli-error.ts';

/** How many streams are being opened at the same time. */
const OPENED_TOGETHER = 100;
/** For the answer to a request, and for a stream to become live. */
const ANSWER_TIMEOUT_MS = 15_000;
/** The last events count as missing when nothing has arrived for this time. */
const QUIET_MS = 2_000;
const POLL_MS = 20;
/** Of the detail of a refusal, in characters. */
const MAX_DETAIL = 500;
const MAX_REFUSAL_BYTES = 64 * 1_024;

export interface BenchPlan {
  /** Without a slash at its end. */
  readonly url: string;
  readonly channel: string;
  /** A publish key or a token. */
  readonly publishAs: string;
  /** A token. Without one, the channel has to be public. */
  readonly subscribeAs: string | undefined;
  readonly subscribers: number;
  readonly publishers: number;
  /** Publishes in a second, of all publishers together. Undefined: as fast as the broker answers. */
  readonly rate: number | undefined;
  readonly seconds: number;
  /** The bytes of each event's data. */
  readonly size: number;
}

export interface BenchResult {
  readonly published: number;
  readonly publishesPerSecond: number;
  readonly deliveries: number;
  readonly deliveriesPerSecond: number;
  /** From before the publish to the arrival at a subscriber. Null without a delivery. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  readonly missing: number;
  readonly twice: number;
  readonly outOfOrder: number;
  readonly gaps: number;
  /** Streams that ended before the bench did. */
  readonly endedStreams: number;
  /** The share of the time in which this process was busy. Near 1, the bench was slower than the broker. */
  readonly busy: number;
  /** Why a publisher stopped; null when all publishers went on to the end. */
  readonly stoppedBy: string | null;
}

/** Opens the subscribers, publishes, waits for the last deliveries, and closes everything. */
export class BenchRun {
  readonly #plan: BenchPlan;
  readonly #signal: AbortSignal;
  /** Ends all requests and streams at the end of the bench. */
  readonly #end = new AbortController();
  readonly #requests: AbortSignal;
  readonly #tally = new BenchTally();
  readonly #agent: AgentOverTcp;
  readonly #subscribers: BenchSubscriber[] = [];
  /** The number of acknowledged events of each publisher. */
  readonly #published: number[];
  #stoppedBy: string | null = null;

  /** @param signal ends the bench early: what was measured until then is the result */
  constructor(plan: BenchPlan, signal: AbortSignal) {
    this.#plan = plan;
    this.#signal = signal;
    this.#requests = AbortSignal.any([signal, this.#end.signal]);
    const options = { keepAlive: true, maxSockets: plan.publishers };
    this.#agent = isTls(plan.url) ? new TlsAgent(options) : new Agent(options);
    this.#published = Array.from({ length: plan.publishers }, () => 0);
  }

  /** @throws CliError when a subscriber cannot be opened */
  async run(onPhase: (phase: string) => void): Promise<BenchResult> {
    try {
      onPhase(`opening ${this.#plan.subscribers} subscribers`);
      await this.#openSubscribers();
      onPhase(`publishing for ${this.#plan.seconds} s`);
      const { idle, active } = performance.eventLoopUtilization();
      const begin = performance.now();
      const end = begin + this.#plan.seconds * 1_000;
      await Promise.all(this.#published.map((_, index) => this.#publish(index, begin, end)));
      const publishMs = performance.now() - begin;
      onPhase('waiting for the last deliveries');
      const lastArrival = await this.#settle();
      const busy = performance.eventLoopUtilization({ idle, active, utilization: 0 }).utilization;
      return this.#result(publishMs, lastArrival - begin, busy);
    } finally {
      this.#end.abort();
      this.#agent.destroy();
    }
  }

  async #openSubscribers(): Promise<void> {
    const { subscribers } = this.#plan;
    for (let open = 0; open < subscribers && !this.#signal.aborted; open += OPENED_TOGETHER) {
      const count = Math.min(OPENED_TOGETHER, subscribers - open);
      await Promise.all(Array.from({ length: count }, (_, index) => this.#subscribe(open + index + 1)));
    }
  }

  async #subscribe(number: number): Promise<void> {
    const { channel, subscribeAs, publishers } = this.#plan;
    try {
      const response = await this.#answerTo(`/events/${channel}`, subscribeAs, { agent: false });
      if (response.statusCode !== 200) throw new Error(await refusalIn(response));
      const subscriber = new BenchSubscriber(response, publishers, this.#tally);
      this.#subscribers.push(subscriber);
      const timer = setTimeout(() => response.destroy(), ANSWER_TIMEOUT_MS);
      await subscriber.live.finally(() => clearTimeout(timer));
    } catch (error) {
      if (this.#signal.aborted) return;
      const { code, message } = error as NodeJS.ErrnoException;
      const reason =
        code === 'EMFILE' ? 'this process has too many open files; raise the limit (ulimit -n)' : message;
      throw new CliError(`Subscriber ${number} could not be opened: ${reason}.`);
    }
  }

  /** One publisher: sends the next event when the last one was answered, and, with a rate, not before it is due. */
  async #publish(index: number, begin: number, end: number): Promise<void> {
    const { channel, publishAs, rate, publishers, size } = this.#plan;
    const agent = this.#agent;
    for (let number = 0; !this.#signal.aborted && this.#stoppedBy === null; number++) {
      if (rate !== undefined) {
        const due = begin + ((number * publishers + index) * 1_000) / rate;
        if (due >= end) return;
        const ahead = due - performance.now();
        if (ahead > 0) await delay(ahead, undefined, { signal: this.#signal }).catch(() => undefined);
      }
      if (performance.now() >= end || this.#signal.aborted) return;
      try {
        const body = JSON.stringify({ channel, data: benchData(index, number, size) });
        const response = await this.#answerTo('/publish', publishAs, { agent, method: 'POST' }, body);
        if (response.statusCode !== 200) throw new Error(await refusalIn(response));
        response.resume();
        this.#published[index] = number + 1;
      } catch (error) {
        if (!this.#signal.aborted) this.#stoppedBy = (error as Error).message;
        return;
      }
    }
  }

  #answerTo(
    path: string,
    credential: string | undefined,
    options: RequestOptions,
    body?: string,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const send = isTls(this.#plan.url) ? requestOverTls : requestOverTcp;
      const headers = {
        ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
        ...(body !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
      };
      const outgoing: ClientRequest = send(`${this.#plan.url}${path}`, {
        ...options,
        headers,
        signal: this.#requests,
      });
      const timer = setTimeout(
        () => outgoing.destroy(new Error(`no answer within ${ANSWER_TIMEOUT_MS / 1_000} s`)),
        ANSWER_TIMEOUT_MS,
      );
      outgoing.on('response', (response) => {
        clearTimeout(timer);
        resolve(response);
      });
      outgoing.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      outgoing.end(body);
    });
  }

  /** Waits until every subscriber has every event, or nothing more comes. Returns the time of the last delivery. */
  async #settle(): Promise<number> {
    let arrived = performance.now();
    let before = this.#tally.deliveries;
    while (!this.#signal.aborted && this.#missing() > 0 && performance.now() - arrived < QUIET_MS) {
      await delay(POLL_MS);
      if (this.#tally.deliveries !== before) arrived = performance.now();
      before = this.#tally.deliveries;
    }
    return arrived;
  }

  #missing(): number {
    return this.#subscribers.reduce((sum, subscriber) => sum + subscriber.missing(this.#published), 0);
  }

  #result(publishMs: number, deliveryMs: number, busy: number): BenchResult {
    const { deliveries, twice, outOfOrder, gaps, endedStreams, latency } = this.#tally;
    const published = this.#published.reduce((sum, count) => sum + count, 0);
    return {
      published,
      publishesPerSecond: Math.round((published * 1_000) / publishMs),
      deliveries,
      deliveriesPerSecond: Math.round((deliveries * 1_000) / deliveryMs),
      latencyMs:
        deliveries === 0
          ? null
          : {
              p50: latency.percentile(50) / 1_000,
              p99: latency.percentile(99) / 1_000,
              max: latency.max / 1_000,
            },
      // After Ctrl-C nobody waits for the last events.
      missing: this.#signal.aborted ? 0 : this.#missing(),
      twice,
      outOfOrder,
      gaps,
      endedStreams,
      busy: Math.round(busy * 100) / 100,
      stoppedBy: this.#stoppedBy,
    };
  }
}

function isTls(url: string): boolean {
  return url.startsWith('https:');
}

/** Reads what the broker says about a refusal. */
async function refusalIn(response: IncomingMessage): Promise<string> {
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    body += chunk;
    if (body.length > MAX_REFUSAL_BYTES) break;
  }
  const said = `the answer is ${response.statusCode}`;
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    return typeof detail === 'string' ? `${said}: ${detail.slice(0, MAX_DETAIL)}` : said;
  } catch {
    return said;
  }
}
