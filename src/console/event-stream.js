/**
 * @typedef {object} StreamEvent
 * @property {string} id the cursor after this event
 * @property {boolean} hasId whether the event carried an id of its own
 * @property {string} type
 * @property {string} data
 */

const LINE_END = /\r\n|\r|\n/g;

/** Parses `text/event-stream` (HTML standard §9.2.6). The pieces of text may be cut anywhere. */
export class EventStreamParser {
  /** @type {(event: StreamEvent) => void} */
  #onEvent;
  /** @type {(ms: number) => void} */
  #onRetry;
  #rest = '';
  #endedInCr = false;
  #type = '';
  #data = '';
  #id = '';
  #hasId = false;

  /**
   * @param {string} lastEventId the cursor at the start of the connection
   * @param {(event: StreamEvent) => void} onEvent
   * @param {(ms: number) => void} onRetry
   */
  constructor(lastEventId, onEvent, onRetry) {
    this.#id = lastEventId;
    this.#onEvent = onEvent;
    this.#onRetry = onRetry;
  }

  /** @param {string} text */
  push(text) {
    if (text === '') return;
    // Skips the LF of a CRLF that was cut in two.
    let start = this.#endedInCr && text.startsWith('\n') ? 1 : 0;
    this.#endedInCr = text.endsWith('\r');
    LINE_END.lastIndex = start;
    for (let end = LINE_END.exec(text); end !== null; end = LINE_END.exec(text)) {
      this.#line(this.#rest + text.slice(start, end.index));
      this.#rest = '';
      start = LINE_END.lastIndex;
    }
    this.#rest += text.slice(start);
  }

  /** @param {string} line */
  #line(line) {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment, such as the broker's heartbeat
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data += `${value}\n`;
    else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) {
      this.#id = value;
      this.#hasId = true;
    } else if (field === 'retry' && /^\d+$/.test(value)) this.#onRetry(Number(value));
  }

  #dispatch() {
    const event = {
      id: this.#id,
      hasId: this.#hasId,
      type: this.#type || 'message',
      data: this.#data.slice(0, -1),
    };
    const complete = this.#data !== '';
    this.#data = '';
    this.#type = '';
    this.#hasId = false;
    if (complete) this.#onEvent(event);
  }
}
