import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders as Http2Headers } from 'node:http2';
import { request as requestOverTls } from 'node:https';
import type { Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';

export interface StreamOptions {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** The local address to connect from, such as 127.0.0.2. */
  readonly localAddress?: string;
}

/** One subscriber. A foreign parser reads its events. */
export interface SseStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** All events received so far. */
  readonly events: readonly EventSourceMessage[];
  readonly comments: readonly string[];
  readonly retries: readonly number[];
  /** The body received so far, unchanged. */
  readonly text: string;
  /** The next event that was not taken yet; rejects when the stream ends before. */
  next(): Promise<EventSourceMessage>;
  /** Takes events up to the first of this type (`message` for events without a type), and returns them all. */
  until(type: string): Promise<EventSourceMessage[]>;
  /** Resolves once `condition` holds, checked after each chunk; rejects when the stream ends before. */
  when(condition: (stream: SseStream) => boolean): Promise<void>;
  /** Stops reading until `resume`, like a slow reader. */
  pause(): void;
  resume(): void;
  close(): void;
  /** Resolves when the stream has ended, was reset, or was closed by the test. */
  readonly ended: Promise<void>;
  /** Whether the stream ended with its last chunk, and not by a lost connection. */
  readonly complete: boolean;
}

/** Opens a stream on a new connection; resolves with the head of the answer, for any status. */
export async function openStream(
  url: string,
  { headers = {}, ...options }: StreamOptions = {},
): Promise<SseStream> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const send = url.startsWith('https:') ? requestOverTls : request;
    send(url, { ...options, agent: false, headers: { ...headers } }, resolve)
      .on('error', reject)
      .end();
  });
  return new Reader(response.statusCode ?? 0, response.headers, response);
}

/** Opens several streams of one URL, and resolves when all of them are live. */
export async function openLiveStreams(url: string, count: number): Promise<SseStream[]> {
  const streams = await Promise.all(Array.from({ length: count }, () => openStream(url)));
  await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
  return streams;
}

/** Opens a stream on an HTTP/2 connection. */
export async function openHttp2Stream(
  session: ClientHttp2Session,
  path: string,
  { headers = {} }: StreamOptions = {},
): Promise<SseStream> {
  const stream = session.request({ ':path': path, ...headers });
  const [head] = (await once(stream, 'response')) as [Http2Headers];
  return new Reader(Number(head[':status']), head, stream);
}

/** Gives each block at once. Fails at a wrong checksum or length, and at an end without them. */
function gunzipped(response: Readable): Readable {
  const gunzip = response.pipe(createGunzip({ flush: constants.Z_SYNC_FLUSH }));
  response.once('close', () => {
    if (!response.readableEnded) gunzip.destroy();
  });
  return gunzip;
}

class Reader implements SseStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly events: EventSourceMessage[] = [];
  readonly comments: string[] = [];
  readonly retries: number[] = [];
  readonly ended: Promise<void>;
  text = '';
  complete = false;
  readonly #response: Readable;
  readonly #waiting = new Set<() => void>();
  #taken = 0;
  #over = false;
  #error: Error | undefined;

  constructor(status: number, headers: IncomingHttpHeaders, response: Readable) {
    this.status = status;
    this.headers = headers;
    this.#response = response;
    const parser = createParser({
      onEvent: (event) => this.events.push(event),
      onComment: (comment) => this.comments.push(comment),
      onRetry: (ms) => this.retries.push(ms),
      onError: (error) => {
        this.#error = error;
        response.destroy();
      },
    });
    const isStream = headers['content-type']?.startsWith('text/event-stream') === true;
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const body = headers['content-encoding'] === 'gzip' ? gunzipped(response) : response;
    body.on('data', (chunk: Buffer) => {
      const text = decoder.decode(chunk, { stream: true });
      this.text += text;
      if (isStream) parser.feed(text);
      this.#wake();
    });
    body.once('end', () => {
      this.complete = true;
    });
    // A body that is no gzip, or ends too early.
    if (body !== response) body.on('error', () => response.destroy());
    // After a reset, 'close' follows.
    response.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      body.once('close', () => {
        // Over HTTP/2, 'end' comes before a reset, too.
        if (((response as Partial<ClientHttp2Stream>).rstCode ?? 0) !== 0) this.complete = false;
        this.#over = true;
        this.#wake();
        resolve();
      });
    });
  }

  async next(): Promise<EventSourceMessage> {
    await this.when(() => this.events.length > this.#taken);
    return this.events[this.#taken++] as EventSourceMessage;
  }

  async until(type: string): Promise<EventSourceMessage[]> {
    const taken: EventSourceMessage[] = [];
    for (;;) {
      const event = await this.next();
      taken.push(event);
      if ((event.event ?? 'message') === type) return taken;
    }
  }

  async when(condition: (stream: SseStream) => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (condition(this)) resolve();
        else if (this.#over)
          reject(
            new Error(`the stream (${this.status}) is over; it said:\n${this.text}`, { cause: this.#error }),
          );
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}
