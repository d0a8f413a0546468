import { ReadableStream } from 'node:stream/web';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SluicePublishError } from './publisher-error.ts';
import { checkChannel, checkIdempotencyKey, checkOptions } from './publisher-event.ts';
import { errorOf, problemOf } from './publisher-requests.ts';
import type { PublishAnswer, PublishRequests } from './publisher-requests.ts';

/** What an upload is. */
export interface UploadOptions {
  /**
   * What becomes an event. `line` (the default): each line, as LF ends it, and not each chunk. `event`: each event of a stream
   * of Server-Sent Events.
   */
  readonly each?: 'line' | 'event';
  /** The type of every line. Only with `each: 'line'`. */
  readonly event?: string;
  /** The key of every event. */
  readonly key?: string;
  /** The channel ends with the upload. */
  readonly close?: boolean;
  /** Send the whole source again with the same key after a failure, within 10 minutes, and only what is missing is published. */
  readonly idempotencyKey?: string;
  /** Breaks the upload off. Its complete events are published, and the channel does not end. */
  readonly signal?: AbortSignal;
}

const UPLOAD_OPTIONS: Readonly<Record<keyof UploadOptions, true>> = {
  each: true,
  event: true,
  key: true,
  close: true,
  idempotencyKey: true,
  signal: true,
};

/** After so many bytes the upload lets the event loop turn. */
const TURN_BYTES = 64 * 1024;

/** Text or bytes of UTF-8. */
export type UploadSource = AsyncIterable<string | Uint8Array>;

/** The answer to an upload. */
export interface Uploaded {
  readonly channel: string;
  /** The number of events. */
  readonly published: number;
  /** The ids of the first and the last event; null without events. */
  readonly first: string | null;
  readonly last: string | null;
}

/**
 * Publishes a source while it is read, in one request. The source is read as fast as the broker takes it. It cannot be read
 * twice, so nothing is repeated.
 * @throws TypeError for a source of anything but text and bytes, SluicePublishError, the error of the source, or the reason of the signal
 */
export async function upload(
  requests: PublishRequests,
  channel: string,
  source: UploadSource,
  options: UploadOptions,
): Promise<Uploaded> {
  checkOptions(options, UPLOAD_OPTIONS);
  checkChannel(channel);
  const { each = 'line', event, key, close = false, idempotencyKey } = options;
  checkIdempotencyKey(idempotencyKey);
  const query = new URLSearchParams({ each });
  if (event !== undefined) query.set('event', event);
  if (key !== undefined) query.set('key', key);
  if (close) query.set('close', 'true');
  const signal = options.signal ?? new AbortController().signal;
  const reader = new SourceReader(source);
  let isSent = false;
  let answer: PublishAnswer;
  try {
    answer = await requests.post({
      path: `/publish/${channel}?${query.toString()}`,
      body: ReadableStream.from(reader.bytes()),
      contentType: each === 'line' ? 'text/plain; charset=utf-8' : 'text/event-stream',
      idempotencyKey,
      signal,
      onSend: () => (isSent = true),
    });
  } catch (cause) {
    if (reader.failure !== undefined) throw reader.failure.error;
    if (signal.aborted) throw signal.reason;
    throw new SluicePublishError('network', {
      detail: `The upload was not answered: ${cause instanceof Error ? cause.message : String(cause)}`,
      mayBePublished: isSent,
      cause,
    });
  } finally {
    reader.stop();
  }
  return uploadedBy(answer, requests);
}

function uploadedBy(answer: PublishAnswer, requests: PublishRequests): Uploaded {
  const { published } = (answer.json ?? {}) as Partial<Uploaded>;
  if (answer.status === 200 && typeof published === 'number') return answer.json as Uploaded;
  // The next request then asks for another token.
  if (answer.status === 401) requests.refused(answer);
  const problem = problemOf(answer);
  throw errorOf(problem, published === undefined ? answer.status >= 500 : published > 0);
}

/** Reads a source as bytes. */
class SourceReader {
  /** The error of the source. */
  failure: { readonly error: unknown } | undefined;
  readonly #source: UploadSource;
  #stopped = false;

  constructor(source: UploadSource) {
    this.#source = source;
  }

  /** The broker wants no more. The source is closed at its next chunk. */
  stop(): void {
    this.#stopped = true;
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    // A pair of surrogates may be in two chunks.
    let half = '';
    let sinceTurn = 0;
    try {
      for await (const chunk of this.#source) {
        if (this.#stopped) return;
        if (typeof chunk !== 'string' && !((chunk as unknown) instanceof Uint8Array))
          throw new TypeError('The source yields strings or bytes.');
        const text = typeof chunk === 'string' ? half + chunk : '';
        if (typeof chunk === 'string') half = /[\ud800-\udbff]$/.test(text) ? text.slice(-1) : '';
        const bytes =
          typeof chunk === 'string' ? Buffer.from(text.slice(0, text.length - half.length)) : chunk;
        if (bytes.length > 0) yield bytes;
        sinceTurn += bytes.length;
        if (sinceTurn < TURN_BYTES) continue;
        // A source in memory never waits. Without a turn the early answer of a refusal would not be read.
        await nextTurn();
        sinceTurn = 0;
      }
    } catch (error) {
      this.failure = { error };
      throw error;
    }
    if (half !== '') yield Buffer.from(half);
  }
}
