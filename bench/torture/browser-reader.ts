import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createParser } from 'eventsource-parser';
import type { EventSourceParser } from 'eventsource-parser';
import { markersIn } from './event-marker.ts';
import type { EventMarker } from './event-marker.ts';
import { fill } from './system.ts';
import type { Page, SystemWire } from './system.ts';

/** Bounds the memory of one reader, in events. */
const MAX_ARRIVALS = 500_000;
/** Bounds the memory of one event, in characters. One event may hold a whole history. */
const MAX_EVENT_LENGTH = 64 * 1024 * 1024;

/** An event that arrived, with its time on the monotonic clock in ms. */
export interface Arrival extends EventMarker {
  readonly at: number;
}

/** The server said that events are missing, after the first `after` arrivals. */
export interface ToldGap {
  readonly after: number;
  readonly at: number;
}

export interface BrowserReaderOptions {
  readonly run: string;
  /** The port of 127.0.0.1 that leads to the server. */
  readonly port: number;
  /** The address of the stream, with `{channel}`. */
  readonly url: string;
  readonly channel: string;
  readonly wire: SystemWire;
  /** How long to wait before a new connection, in ms, as long as the server has not said it by `retry:`. */
  readonly retryMs: number;
  /** Whether the reader comes back after an answer that is not a stream. A browser does not. */
  readonly stubborn: boolean;
}

/**
 * Reads as a browser's EventSource does (HTML standard, section 9.2). It reconnects after every end and every failed
 * connection, waits for the reconnection time, sends Last-Event-ID, and gives up when an answer is not 200 or not
 * an event stream. It follows no redirects, because they would lead it around the faults.
 */
export class BrowserReader {
  readonly arrivals: Arrival[] = [];
  readonly gaps: ToldGap[] = [];
  connections = 0;
  /** Why the reader does not come back. */
  gaveUp: string | undefined;
  readonly #options: BrowserReaderOptions;
  readonly #page: Page | undefined;
  #retryMs: number;
  #lastEventId = '';
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #paused = false;
  #closed = false;

  constructor(options: BrowserReaderOptions) {
    this.#options = options;
    this.#retryMs = options.retryMs;
    this.#page = options.wire.page?.(options.channel);
    this.#connect();
  }

  /** Reads no more bytes until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#response?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#response?.resume();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#request?.destroy();
  }

  #connect(): void {
    const { port, wire } = this.#options;
    const url = this.#address();
    const headers: Record<string, string> = {
      accept: 'text/event-stream',
      'cache-control': 'no-store',
      ...wire.subscribeHeaders,
      host: url.host,
    };
    if (wire.resume === 'header' && this.#lastEventId !== '') headers['last-event-id'] = this.#lastEventId;
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({
      host: '127.0.0.1',
      port,
      path: `${url.pathname}${url.search}`,
      headers,
      agent: false,
      ...(url.protocol === 'https:' && { servername: url.hostname }),
    });
    request.on('response', (response) => this.#open(response));
    // 'close' follows.
    request.on('error', () => undefined);
    request.once('close', () => this.#reconnect());
    request.end();
    this.#request = request;
  }

  #address(): URL {
    const { url, channel, wire } = this.#options;
    const address = new URL(fill(url, { channel }));
    if (this.#page !== undefined) return new URL(this.#page.path(), address);
    if (!['header', 'none'].includes(wire.resume) && this.#lastEventId !== '')
      address.searchParams.set(wire.resume, this.#lastEventId);
    return address;
  }

  #open(response: IncomingMessage): void {
    const type = response.headers['content-type']?.split(';', 1).join('').trim().toLowerCase();
    response.on('error', () => undefined);
    if (response.statusCode !== 200 || type !== 'text/event-stream') {
      this.#giveUp(`answer ${response.statusCode}${response.statusCode === 200 ? `, type ${type}` : ''}`);
      this.#request?.destroy();
      return;
    }
    this.connections++;
    this.#response = response;
    const parser = this.#parser();
    const decoder = new TextDecoder();
    response.on('data', (chunk: Buffer) => parser.feed(decoder.decode(chunk, { stream: true })));
    if (this.#paused) response.pause();
  }

  #parser(): EventSourceParser {
    return createParser({
      maxBufferSize: MAX_EVENT_LENGTH,
      onId: (id) => {
        this.#lastEventId = id;
      },
      onRetry: (ms) => {
        this.#retryMs = ms;
      },
      onEvent: ({ event = 'message', data }) => this.#take(event, data),
      onError: ({ type }) => {
        if (type !== 'max-buffer-size-exceeded') return;
        this.#giveUp('an event that is too long');
        this.#request?.destroy();
      },
    });
  }

  #take(type: string, data: string): void {
    const { run, wire } = this.#options;
    const at = performance.now();
    const isGap = this.#page?.onEvent(type, data) ?? false;
    if (isGap || wire.gapEvents.includes(type)) this.gaps.push({ after: this.arrivals.length, at });
    for (const marker of markersIn(data, run)) this.arrivals.push({ ...marker, at });
    const isEnd = wire.endEvents.includes(type);
    if (!isEnd && this.arrivals.length + this.gaps.length <= MAX_ARRIVALS) return;
    this.#giveUp(isEnd ? `the event ${type}` : `more than ${MAX_ARRIVALS} events`);
    this.close();
  }

  #giveUp(why: string): void {
    if (this.#options.stubborn && why.startsWith('answer')) return;
    this.gaveUp ??= why;
  }

  #reconnect(): void {
    this.#response = undefined;
    if (this.#closed || this.gaveUp !== undefined) return;
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
  }
}
