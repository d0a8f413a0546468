import { closingOf } from './closing-notice.js';
import { EventStreamParser } from './event-stream.js';

/**
 * @typedef {import('./closing-notice.js').Closing} Closing
 * @typedef {import('./event-stream.js').StreamEvent} StreamEvent
 * @typedef {{ name: 'connecting' }
 *   | { name: 'open' }
 *   | { name: 'waiting', ms: number, closing: Closing | undefined }
 *   | { name: 'refused', response: Response }
 *   | { name: 'ended' }
 *   | { name: 'closed' }} StreamState
 */

/** Until the broker says otherwise, in ms; what browsers do. */
const FIRST_RETRY = 3_000;
/** Whatever is asked for, in ms: a page neither knocks without a pause nor stays away for good. */
const MIN_RETRY = 100;
const MAX_RETRY = 600_000;

/**
 * A subscription that goes on like an EventSource: it comes back after the time the broker asked for, with the id it
 * saw last, and any answer but 200 is the end. It is none, because an EventSource delivers only the event types that
 * somebody has thought of beforehand, and tells nothing about why it was refused.
 */
export class ChannelStream {
  #url;
  #onState;
  #onEvent;
  #retry = FIRST_RETRY;
  #abort = new AbortController();
  #lastEventId = '';
  #token;
  /**
   * Why the broker ends the connection that there is.
   *
   * @type {Closing | undefined}
   */
  #closing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {URL} url
   * @param {string} token goes into a header, because addresses end up in logs; empty for none
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

  /** What it would resume from. */
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
        this.#onState(response.status === 204 ? { name: 'ended' } : { name: 'refused', response });
        return;
      }
      this.#onState({ name: 'open' });
      await this.#read(response.body);
    } catch (error) {
      // A network that fails is what reconnecting is for; anything else is a fault of this page.
      if (!signal.aborted && !(error instanceof TypeError)) throw error;
    }
    if (signal.aborted) return;
    this.#onState({ name: 'waiting', ms: this.#retry, closing: this.#closing });
    this.#timer = setTimeout(() => void this.#connect(), this.#retry);
  }

  /** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
  async #read(body) {
    const parser = new EventStreamParser(
      this.#lastEventId,
      (event) => this.#take(event),
      (ms) => this.#comeBackAfter(ms),
    );
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parser.push(piece.value);
    }
  }

  /**
   * The broker's own events have the cursor as their id, too. Those that are about the connection end here.
   *
   * @param {StreamEvent} event
   */
  #take(event) {
    this.#lastEventId = event.id;
    if (event.type === 'sluice:heartbeat') return;
    if (event.type !== 'sluice:closing') {
      this.#onEvent(event);
      return;
    }
    this.#closing = closingOf(event.data);
    if (this.#closing.retry !== undefined) this.#comeBackAfter(this.#closing.retry);
  }

  /** @param {number} ms */
  #comeBackAfter(ms) {
    this.#retry = Math.min(Math.max(ms, MIN_RETRY), MAX_RETRY);
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
