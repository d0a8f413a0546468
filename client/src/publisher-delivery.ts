import type { Batch } from './publisher-batch.ts';
import { SluicePublishError } from './publisher-error.ts';
import { errorOf, problemOf } from './publisher-requests.ts';
import type { PublishAnswer, PublishProblem, PublishRequests } from './publisher-requests.ts';

/** The first wait is at most this long; each further one may be twice as long. */
const FIRST_WAIT_MS = 200;
const MAX_WAIT_MS = 5_000;

/** Errors of connections that could not be opened: nothing can have been published. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

/** What an attempt came to. */
type Attempted =
  | { readonly kind: 'published'; readonly ids: readonly string[] }
  | { readonly kind: 'refused'; readonly problem: PublishProblem }
  /** It may go better later. `quota` is there when the body is too large for a rate, and must be cut. */
  | {
      readonly kind: 'failed';
      readonly failure: unknown;
      readonly retryAfterMs: number;
      /** Whether there was no connection. */
      readonly isUnconnected?: boolean;
      readonly quota?: number | undefined;
    };

/** What the broker says about a published event. */
export interface Published {
  readonly channel: string;
  readonly id: string;
}

export interface DeliveryOptions {
  readonly requests: PublishRequests;
  /** How long an attempt may take. */
  readonly requestTimeoutMs: number;
}

/** Brings batches to the broker, each until its events are acknowledged or refused. */
export class PublisherDelivery {
  readonly #requests: PublishRequests;
  readonly #requestTimeoutMs: number;
  /** Ends the waits for a connection. */
  readonly #waits = new Set<() => void>();

  constructor({ requests, requestTimeoutMs }: DeliveryOptions) {
    this.#requests = requests;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** Resolves when every event of the batch is acknowledged or refused, or has no caller any more. */
  async deliver(batch: Batch): Promise<void> {
    const todo = [batch];
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      if (next.events.every(({ settled }) => settled)) continue;
      todo.unshift(...(await this.#send(next)));
    }
  }

  /** Sends the body until there is a final answer, or no caller waits any more. Returns the batches to send next. */
  async #send(batch: Batch): Promise<readonly Batch[]> {
    const { signal } = batch.flight;
    const body = batch.body();
    let renewed = false;
    const renew = (answer: PublishAnswer): boolean => {
      if (renewed || !this.#requests.refused(answer)) return false;
      renewed = true;
      return true;
    };
    for (let attempt = 0; ; attempt++) {
      const attempted = await this.#attempt(batch, body, renew);
      if (signal.aborted) return [];
      if (attempted.kind === 'refused') return batch.split(attempted.problem);
      if (attempted.kind === 'published') {
        for (const [i, event] of batch.events.entries()) event.acknowledge(attempted.ids[i] as string);
        for (const end of this.#waits) end();
        return [];
      }
      batch.failure = attempted.failure;
      const longest = Math.min(FIRST_WAIT_MS * 2 ** attempt, MAX_WAIT_MS);
      await this.#wait(attempted.retryAfterMs + Math.random() * longest, attempted, signal);
      if (signal.aborted) return [];
      if (attempted.quota !== undefined) return batch.slowDown(attempted.quota);
    }
  }

  /** Waits before the next attempt. A wait for a connection ends when another request gets through. */
  #wait(
    ms: number,
    { isUnconnected }: { readonly isUnconnected?: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#waits.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end, { once: true });
      if (isUnconnected === true) this.#waits.add(end);
    });
  }

  async #attempt(batch: Batch, body: Buffer, renew: (answer: PublishAnswer) => boolean): Promise<Attempted> {
    const before = batch.uncertain;
    const controller = new AbortController();
    const { signal } = batch.flight;
    const abort = (): void => controller.abort();
    signal.addEventListener('abort', abort, { once: true });
    const limit = setTimeout(() => {
      controller.abort(new Error(`No answer came within ${this.#requestTimeoutMs} ms.`));
    }, this.#requestTimeoutMs);
    try {
      const answer = await this.#requests.post({
        path: '/publish',
        body,
        contentType: batch.isAlone ? 'application/json' : 'application/x-ndjson',
        idempotencyKey: batch.idempotencyKey,
        signal: controller.signal,
        onSend: () => (batch.uncertain = true),
      });
      return attemptedBy(answer, batch, before, renew);
    } catch (failure) {
      const isUnconnected = isNotConnected(failure);
      if (isUnconnected) batch.uncertain = before;
      return { kind: 'failed', failure, retryAfterMs: 0, isUnconnected };
    } finally {
      clearTimeout(limit);
      signal.removeEventListener('abort', abort);
    }
  }
}

/** @param before whether the batch was uncertain before this attempt */
function attemptedBy(
  answer: PublishAnswer,
  batch: Batch,
  before: boolean,
  renew: (answer: PublishAnswer) => boolean,
): Attempted {
  const { status, retryAfterMs, quota } = answer;
  if (status === 200) {
    const places = placesOf(answer.json);
    const channels = new Set<unknown>(batch.events.map(({ channel }) => channel));
    const strange = places.find(
      (place) => typeof place?.channel === 'string' && !channels.has(place.channel),
    );
    if (strange) {
      batch.uncertain = before;
      const detail = `The events went into the channel ${strange.channel}. The url of a publisher is that of the broker, without /publish.`;
      return { kind: 'refused', problem: { ...problemOf(answer), detail, channel: undefined } };
    }
    const ids = places.map((place) => place?.id);
    if (ids.length === batch.events.length && ids.every((id) => typeof id === 'string'))
      return { kind: 'published', ids };
  }
  const problem = problemOf(answer);
  const failed = { kind: 'failed', failure: errorOf(problem, true), retryAfterMs } as const;
  if (status < 300 || status === 408 || status >= 500) return failed;
  // Any other answer says that this attempt has published nothing, or how much.
  batch.uncertain = before;
  if (status === 401 && renew(answer)) return failed;
  if (status !== 429) return { kind: 'refused', problem };
  // A body with more events than a rate allows would never pass.
  return batch.events.length > quota && !before ? { ...failed, quota } : failed;
}

type Place = Partial<Published> | undefined | null;

/** Reads which events an answer says are published. The answer may be one of any server. */
function placesOf(json: unknown): readonly Place[] {
  const answer = json as { events?: unknown } | undefined | null;
  const list: unknown = answer?.events ?? [answer];
  return Array.isArray(list) ? (list as readonly Place[]) : [];
}

function isNotConnected(failure: unknown): boolean {
  // The error of `fetch`, or an error that has the one of `fetch` as its cause.
  const { cause } = failure as { cause?: { code?: unknown; cause?: { code?: unknown } } };
  return NOT_CONNECTED.has(String(cause?.code ?? cause?.cause?.code));
}

/** The error of an event that nobody has acknowledged in time. */
export function timeoutError(batch: Batch | undefined, timeoutMs: number): SluicePublishError {
  const { failure } = batch ?? {};
  const last = failure instanceof SluicePublishError ? failure : undefined;
  const why = failure instanceof Error ? ` The last failure: ${failure.message}` : '';
  return new SluicePublishError('timeout', {
    detail: `Not acknowledged within ${timeoutMs} ms.${why}`,
    status: last?.status,
    mayBePublished: batch?.uncertain === true,
    cause: failure,
  });
}
