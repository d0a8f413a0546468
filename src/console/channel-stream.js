import { EventStreamParser } from './event-stream.js';

/**
 * @typedef {import('./event-stream.js').StreamEvent} StreamEvent
 * @typedef {{ name: 'connecting' }
 *   | { name: 'open' }
 *   | { name: 'waiting', ms: number }
 *   | { name: 'refused', response: Response }
 *   | { name: 'ended' }
 *   | { name: 'closed' }} StreamState
 */

/** Until the broker says otherwise, in ms; what browsers do. */
const FIRST_RETRY = 3_000;

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
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {URL} url
   * @param {(state: StreamState) => void} onState
   * @param {(event: StreamEvent) => void} onEvent
   */
  constructor(url, onState, onEvent) {
    this.#url = url;
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
    this.#onState({ name: 'connecting' });
    try {
      /** @type {Record<string, string>} */
      const headers = { accept: 'text/event-stream' };
      if (this.#lastEventId !== '') headers['last-event-id'] = this.#lastEventId;
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
    this.#onState({ name: 'waiting', ms: this.#retry });
    this.#timer = setTimeout(() => void this.#connect(), this.#retry);
  }

  /** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
  async #read(body) {
    const parser = new EventStreamParser(
      this.#lastEventId,
      (event) => {
        this.#lastEventId = event.id;
        this.#onEvent(event);
      },
      (ms) => {
        this.#retry = ms;
      },
    );
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parser.push(piece.value);
    }
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
