import { closingOf } from './closing-notice.js';
import { EventStreamParser } from './event-stream.js';

/**
 * @typedef {import('./closing-notice.js').Closing} Closing
 * @typedef {import('./event-stream.js').StreamEvent} StreamEvent
 * @typedef {{ name: 'connecting' }
 *   | { name: 'open' }
 *   | { name: 'waiting', ms: number, closing: Closing | undefined }
 *   | { name: 'refused', response: Response }
 *   | { name: 'ended', shown: boolean }
 *   | { name: 'closed' }} StreamState
 */

/** The default reconnection time, as in browsers. */
const FIRST_RETRY_MS = 3_000;
/** Limits for the reconnection time that the broker asks for. */
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 600_000;

/**
 * A subscription that behaves like an EventSource: it reconnects after the time that the broker asked for, with the last id
 * it saw, and it stops on any answer but 200. It also stops after `sluice:end`. The console does not use EventSource, because
 * an EventSource delivers only event types that the page has named, and does not say why it was refused.
 */
export class ChannelStream {
  #url;
  #onState;
  #onEvent;
  #retry = FIRST_RETRY_MS;
  #abort = new AbortController();
  #lastEventId = '';
  #token;
  /**
   * Why the broker ends the current connection.
   *
   * @type {Closing | undefined}
   */
  #closing;
  /** Whether the broker has said that the channel has ended. */
  #ended = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {URL} url
   * @param {string} token sent in a header, because servers log URLs. Empty for no token.
   * @param {(state: StreamState) => void} onState
   * @param {(event: StreamEvent) => void} onEvent
   */
  constructor(url, token, onState, onEvent) {
    this.#url = url;
    this.#token = token;
    this.#onState = onState;
    this.#onEvent = onEvent;
  }

  open() {
    void this.#connect();
  }

  /** The cursor for the next connection. */
  get lastEventId() {
    return this.#lastEventId;
  }

  close() {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#onState({ name: 'closed' });
  }

  async #connect() {
    const { signal } = this.#abort;
    this.#closing = undefined;
    this.#onState({ name: 'connecting' });
    try {
      /** @type {Record<string, string>} */
      const headers = { accept: 'text/event-stream' };
      if (this.#lastEventId !== '') headers['last-event-id'] = this.#lastEventId;
      if (this.#token !== '') headers['authorization'] = `Bearer ${this.#token}`;
      const response = await fetch(this.#url, { headers, cache: 'no-store', signal });
      if (!isEventStream(response)) {
        this.#onState(
          response.status === 204 ? { name: 'ended', shown: false } : { name: 'refused', response },
        );
        return;
      }
      this.#onState({ name: 'open' });
      await this.#read(response.body);
    } catch (error) {
      // fetch reports a network failure as a TypeError, and the stream reconnects. Other errors are bugs of this page.
      if (!signal.aborted && !(error instanceof TypeError)) throw error;
    }
    if (signal.aborted) return;
    if (this.#ended) {
      this.#onState({ name: 'ended', shown: true });
      return;
    }
    this.#onState({ name: 'waiting', ms: this.#retry, closing: this.#closing });
    this.#timer = setTimeout(() => void this.#connect(), this.#retry);
  }

  /** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
  async #read(body) {
    const parser = new EventStreamParser(
      this.#lastEventId,
      (event) => this.#handle(event),
      (ms) => this.#setRetry(ms),
    );
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parser.push(piece.value);
    }
  }

  /**
   * Events of the broker also have the cursor as their id. Events about the connection are not passed on.
   *
   * @param {StreamEvent} event
   */
  #handle(event) {
    this.#lastEventId = event.id;
    if (event.type === 'sluice:heartbeat') return;
    if (event.type !== 'sluice:closing') {
      this.#ended ||= event.type === 'sluice:end';
      this.#onEvent(event);
      return;
    }
    this.#closing = closingOf(event.data);
    if (this.#closing.retry !== undefined) this.#setRetry(this.#closing.retry);
  }

  /** @param {number} ms */
  #setRetry(ms) {
    this.#retry = Math.min(Math.max(ms, MIN_RETRY_MS), MAX_RETRY_MS);
  }
}

/**
 * @param {Response} response
 * @returns {response is Response & { body: ReadableStream<Uint8Array<ArrayBuffer>> }}
 */
function isEventStream(response) {
  const type = response.headers.get('content-type') ?? '';
  return response.status === 200 && response.body !== null && /^text\/event-stream\s*(?:;|$)/i.test(type);
}
