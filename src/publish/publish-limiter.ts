import { hash } from 'node:crypto';
import type { Access } from '../auth/access.ts';
import { BrokerError } from '../events/errors.ts';
import type { Rate, RateCount, RateCounter } from '../auth/rate.ts';
import type { OnRequestRefused, RequestRefusal } from '../events/request-refusal.ts';

export interface PublishLimiterOptions {
  /** Undefined for no limit. */
  readonly perKey: Rate | undefined;
  readonly perAddress: Rate | undefined;
  /** Counts for all replicas together. Undefined: this process counts for itself. */
  readonly counter: RateCounter | undefined;
  /** Called when a publish could not be counted. The publish is not refused. */
  readonly onUncounted: () => void;
  readonly onRequestRefused: OnRequestRefused;
}

/** A publisher with an accepted credential. */
export interface CountedPublisher {
  readonly credential: string;
  readonly access: Access;
  /** A result of `countedAddress`. */
  readonly address: string;
}

export interface CountedPublish {
  /** Headers for every answer to the publish (draft-ietf-httpapi-ratelimit-headers). */
  readonly headers: RateHeaders;
  /** `too-many-requests` when the publish exceeds a rate; otherwise undefined. */
  readonly refusal: BrokerError | undefined;
}

export interface RateHeaders {
  readonly 'ratelimit-policy': string;
  readonly ratelimit: string;
}

interface Limit {
  readonly name: 'key' | 'ip';
  readonly rate: Rate;
  readonly reason: RequestRefusal;
  readonly whose: (publisher: CountedPublisher) => string;
  /** Counts when there is no shared counter. */
  readonly windows: RateWindows;
}

/** How long a publish waits for the shared counter, in ms. Together with the log's time-out this is less than a second. */
const COUNT_TIMEOUT_MS = 150;
/** For this time after a failed count no publish is counted, in ms. So publishes do not all wait for a Redis that hangs. */
const PAUSE_MS = 1_000;
const UNCOUNTED: RateCount = { count: 0, left: 0 };

/** Counts published events by key and by address, and refuses those beyond the rates. */
export class PublishLimiter {
  readonly #options: PublishLimiterOptions;
  readonly #limits: readonly Limit[];
  readonly #policies: string;
  readonly #digests = new WeakMap<Access, string>();
  #pausedUntil = 0;

  constructor(options: PublishLimiterOptions) {
    const { perKey, perAddress } = options;
    const limits: Limit[] = [];
    const add = (rate: Rate | undefined, limit: Pick<Limit, 'name' | 'reason' | 'whose'>): void => {
      if (rate !== undefined) limits.push({ ...limit, rate, windows: new RateWindows(rate.window) });
    };
    add(perKey, { name: 'key', reason: 'key-rate', whose: (publisher) => this.#digestOf(publisher) });
    add(perAddress, { name: 'ip', reason: 'ip-rate', whose: ({ address }) => address });
    this.#options = options;
    this.#limits = limits;
    this.#policies = limits
      .map(({ name, rate }) => `"${name}";q=${rate.limit};w=${rate.window / 1_000}`)
      .join(', ');
  }

  /** Whether no rate is set. */
  get isOff(): boolean {
    return this.#limits.length === 0;
  }

  /** Counts events. Returns undefined when no rate is set, and a promise only with a shared counter. Never rejects. */
  count(publisher: CountedPublisher, events = 1): CountedPublish | Promise<CountedPublish> | undefined {
    if (this.isOff) return undefined;
    const { counter } = this.#options;
    if (counter === undefined)
      return this.#judge(
        publisher,
        this.#limits.map(({ whose, windows }) => windows.count(whose(publisher), events)),
      );
    // Counts all limits at the same time, so that they take no longer than one.
    return Promise.all(
      this.#limits.map(({ name, rate, whose }) =>
        this.#countShared(counter, `${name}:${whose(publisher)}`, rate.window, events),
      ),
    ).then((counts) => this.#judge(publisher, counts));
  }

  #judge({ address }: CountedPublisher, counts: readonly RateCount[]): CountedPublish {
    let left = '';
    let refused: { limit: Limit; seconds: number } | undefined;
    for (const [i, limit] of this.#limits.entries()) {
      const { count, left: ms } = counts[i] ?? UNCOUNTED;
      const seconds = Math.ceil(ms / 1_000);
      const remaining = Math.max(0, limit.rate.limit - count);
      left += `${i === 0 ? '' : ', '}"${limit.name}";r=${remaining};t=${seconds}`;
      if (count > limit.rate.limit && seconds >= (refused?.seconds ?? 0))
        refused = { limit, seconds: Math.max(1, seconds) };
    }
    const headers = { 'ratelimit-policy': this.#policies, ratelimit: left };
    if (refused === undefined) return { headers, refusal: undefined };
    this.#options.onRequestRefused(refused.limit.reason, address);
    return { headers, refusal: tooMany(refused.limit, refused.seconds) };
  }

  /** Returns UNCOUNTED when the shared counter fails, because a broken counter must not refuse valid publishes. */
  async #countShared(counter: RateCounter, name: string, window: number, events: number): Promise<RateCount> {
    if (performance.now() >= this.#pausedUntil) {
      try {
        return await within(COUNT_TIMEOUT_MS, counter.count(name, window, events));
      } catch {
        this.#pausedUntil = performance.now() + PAUSE_MS;
      }
    }
    this.#options.onUncounted();
    return UNCOUNTED;
  }

  /** A digest that is the same on every replica. Nobody can find the key from the digest in Redis: keys are long and random. */
  #digestOf({ access, credential }: CountedPublisher): string {
    let digest = this.#digests.get(access);
    if (digest === undefined) {
      digest = hash('sha256', `publish-rate:${credential}`, 'base64url').slice(0, 22);
      this.#digests.set(access, digest);
    }
    return digest;
  }
}

/** The largest number of names that one process counts. The name that published least recently is forgotten first. */
const MAX_WINDOWS = 5_000;

/** Counts hits by name. Each name has a window that starts with its first hit. */
class RateWindows {
  readonly #window: number;
  readonly #windows = new Map<string, { count: number; readonly ends: number }>();

  /** @param window ms */
  constructor(window: number) {
    this.#window = window;
  }

  count(name: string, hits: number): RateCount {
    const now = performance.now();
    let window = this.#windows.get(name);
    // Keeps the map in the order of use.
    if (window !== undefined) this.#windows.delete(name);
    if (window === undefined || window.ends <= now) window = { count: 0, ends: now + this.#window };
    window.count += hits;
    this.#windows.set(name, window);
    if (this.#windows.size > MAX_WINDOWS) {
      const [oldest = name] = this.#windows.keys();
      this.#windows.delete(oldest);
    }
    return { count: window.count, left: window.ends - now };
  }
}

function tooMany({ name, rate }: Limit, seconds: number): BrokerError {
  const whose = name === 'key' ? 'this key' : 'this address';
  return new BrokerError(
    'too-many-requests',
    `More than ${rate.limit} events in ${rate.window / 1_000} s came from ${whose}. Try again in ${seconds} s, with ${rate.limit} events in a request at the most.`,
    { retryAfter: seconds },
  );
}

/** @throws Error when the promise takes longer than `timeout` ms */
async function within<T>(timeout: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  // Reads the sockets once more first: when this process is late, the answer may already be there.
  const timer = setTimeout(() => setImmediate(() => reject(new Error('not counted in time'))), timeout);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    // The slower promise may reject later, and no one handles it.
    promise.catch(() => undefined);
    late.catch(() => undefined);
  }
}
