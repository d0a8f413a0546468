import type { ReadableStream } from 'node:stream/web';
import { SluicePublishError } from './publisher-error.ts';
import type { PublisherCredential } from './publisher-credential.ts';

export interface PublishRequest {
  /** Path and query behind the broker's URL. */
  readonly path: string;
  readonly body: Uint8Array | ReadableStream<Uint8Array>;
  readonly contentType: string;
  readonly idempotencyKey: string | undefined;
  readonly signal: AbortSignal;
  /** Called when the request goes out. Before that nothing can have been published. */
  readonly onSend?: () => void;
}

/** An answer that has arrived completely. */
export interface PublishAnswer {
  readonly status: number;
  /** The JSON of the body; undefined when the body is not JSON. */
  readonly json: unknown;
  /** How long to wait before the next attempt, in ms; 0 when the answer does not say it. */
  readonly retryAfterMs: number;
  /** How many events the tightest rate allows in its window; Infinity without a rate. */
  readonly quota: number;
  /** The credential that was sent. */
  readonly credential: string;
}

/** The members of a problem document (RFC 9457) of a broker. */
export interface PublishProblem {
  /** The last part of the type; `unexpected-answer` for an answer that is no problem document of a broker. */
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly published: number | undefined;
  readonly tail: string | undefined;
  readonly channel: string | undefined;
  /** The faults of events in a body of many: the index of the event, and what is wrong with it. */
  readonly faults: ReadonlyMap<number, string>;
}

export interface PublishRequestsOptions {
  readonly url: string;
  readonly credential: PublisherCredential;
  readonly fetch: typeof fetch;
}

/** More than the answer to a body of 10,000 events takes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** No `Retry-After` is taken for longer, in ms: timers of more than 2^31 ms fire at once. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Sends requests to the broker. */
export class PublishRequests {
  readonly #url: string;
  readonly #credential: PublisherCredential;
  readonly #fetch: typeof fetch;

  constructor({ url, credential, fetch }: PublishRequestsOptions) {
    this.#url = url;
    this.#credential = credential;
    this.#fetch = fetch;
  }

  /** The broker has refused the credential of this answer. Returns whether there may be another credential. */
  refused({ credential }: PublishAnswer): boolean {
    return this.#credential.refused(credential);
  }

  /** Resolves with any answer. @throws when there is no answer, or not all of it, and what `getToken` throws */
  async post(request: PublishRequest): Promise<PublishAnswer> {
    const { path, body, contentType, idempotencyKey, signal } = request;
    const credential = await this.#credential.get();
    signal.throwIfAborted();
    request.onSend?.();
    const send = this.#fetch;
    const response = await this.#reach(
      send(`${this.#url}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${credential}`,
          'content-type': contentType,
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        body,
        // A redirected POST may become a GET.
        redirect: 'manual',
        signal,
        ...(!(body instanceof Uint8Array) && { duplex: 'half' as const }),
      }),
    );
    const { status, headers } = response;
    return {
      status,
      json: parsed(await textOf(response)),
      retryAfterMs: retryAfterOf(headers.get('retry-after')),
      quota: quotaOf(headers.get('ratelimit-policy')),
      credential,
    };
  }

  /** Names the broker and the reason in an error that says only `fetch failed`. */
  async #reach(response: Promise<Response>): Promise<Response> {
    try {
      return await response;
    } catch (error) {
      const { message, cause } = error as Error;
      const code = (cause as { code?: unknown } | undefined)?.code;
      if (typeof code !== 'string') throw error;
      throw new Error(`${this.#url}: ${message} (${code})`, { cause: error });
    }
  }
}

/** Reads the problem document of an answer that is not a success. */
export function problemOf({ status, json }: Pick<PublishAnswer, 'status' | 'json'>): PublishProblem {
  const fields = (typeof json === 'object' && json !== null ? json : {}) as Partial<Record<string, unknown>>;
  const code = /^urn:sluice:problem:([a-z-]+)$/.exec(String(fields['type']))?.[1];
  const text = (name: string): string | undefined =>
    typeof fields[name] === 'string' ? fields[name] : undefined;
  return {
    code: code ?? 'unexpected-answer',
    status,
    detail:
      (code === undefined ? undefined : text('detail')) ??
      `The answer has the status ${status}, and is not one of a broker.`,
    published: typeof fields['published'] === 'number' ? fields['published'] : undefined,
    tail: text('tail'),
    channel: text('channel'),
    faults: faultsOf(fields['errors']),
  };
}

/** Reads the faults with a JSON pointer such as `/7/event`. */
function faultsOf(errors: unknown): ReadonlyMap<number, string> {
  const faults = new Map<number, string>();
  if (!Array.isArray(errors)) return faults;
  for (const { pointer, detail } of errors as { pointer?: unknown; detail?: unknown }[]) {
    const [, index, field = ''] = /^\/(\d+)(?:\/(.*))?$/s.exec(String(pointer)) ?? [];
    // The number of the line is one of the body, which the caller has not made.
    const what = `${field} ${String(detail).replace(/ \(line \d+\)$/, '')}`.trim();
    if (index !== undefined && !faults.has(Number(index))) faults.set(Number(index), what);
  }
  return faults;
}

export function errorOf(problem: PublishProblem, mayBePublished: boolean): SluicePublishError {
  const { code, detail, status, published, tail } = problem;
  return new SluicePublishError(code, { detail, status, published, tail, mayBePublished });
}

async function textOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as ReadableStream<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('The answer is too long.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads `Retry-After`: seconds, or a date. */
function retryAfterOf(header: string | null): number {
  if (header === null) return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : 0;
}

/** Reads the smallest quota of `RateLimit-Policy`, such as `"key";q=100;w=1, "ip";q=6000;w=60`. */
function quotaOf(header: string | null): number {
  return Math.min(...[...(header ?? '').matchAll(/;q=(\d+)/g)].map(([, quota]) => Number(quota)));
}
