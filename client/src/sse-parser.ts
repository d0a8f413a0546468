/** The longest event that is kept in memory, in characters. */
const MAX_EVENT_LENGTH = 16 * 1024 * 1024;

/** An event of a stream. `id` is the newest id of the stream; `type` is empty for an event without one. */
export interface ParsedEvent {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/** Reads Server-Sent Events from the bytes of a stream, as the HTML standard says. */
export class SseParser {
  /** The reconnection time that the stream asked for last, in ms. */
  retry: number | undefined;
  readonly #onEvent: (event: ParsedEvent) => void;
  /** Drops a byte order mark at the start. */
  readonly #decoder = new TextDecoder();
  /** The line that has not arrived completely. */
  #line = '';
  #afterReturn = false;
  #id = '';
  #type = '';
  #data = '';

  constructor(onEvent: (event: ParsedEvent) => void) {
    this.#onEvent = onEvent;
  }

  /** Takes the next bytes. Throws when an event is longer than 16 Mi characters. */
  feed(bytes: Uint8Array): void {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return;
    // A CR ended the line before, and the LF belongs to the CR.
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1);
    this.#afterReturn = text.endsWith('\r');
    const lines = text.split(/\r\n|\r|\n/);
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      this.#endLine(this.#line + line);
      this.#line = '';
    }
    this.#line += rest;
    if (this.#line.length + this.#data.length > MAX_EVENT_LENGTH) throw new Error('The event is too long.');
  }

  #endLine(line: string): void {
    if (line === '') {
      if (this.#data !== '') this.#onEvent({ id: this.#id, type: this.#type, data: this.#data.slice(0, -1) });
      this.#data = this.#type = '';
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'data') this.#data += `${value}\n`;
    else if (field === 'event') this.#type = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }
}
