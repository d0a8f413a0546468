import { isUtf8 } from 'node:buffer';
import type { ChannelName } from '../events/channel-name.ts';
import { parseChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import { parseEventId } from '../events/event.ts';
import { invalidBody } from './body-faults.ts';
import { requireUtf8 } from './json-body.ts';
import { TooDeepJson, compactText, scanValue } from './json-scanner.ts';
import {
  MalformedJson,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  blanksEnd,
  nameIndex,
  noNotes,
  textAt,
} from './json-tokens.ts';
import { EVENT_KEY, EventType, fits, parsePublication } from './publication.ts';
import type { Broadcast, Publication } from './publication.ts';

/** The fields of a publication to one channel. Most bodies have them in this order. */
const NAMES = ['channel', 'data', 'event', 'key', 'close', 'ifLast'] as const;
const [CHANNEL, DATA, EVENT, KEY, CLOSE, IF_LAST] = [0, 1, 2, 3, 4, 5] as const;
const ABSENT = -1;
const NOTHING = Buffer.alloc(0);

/**
 * Reads publications to one channel quickly: without a schema, and without values that are not needed. It takes only correct
 * ones. {@link parsePublication} reads all others, and says what is wrong with them. One scanner reads many publications one
 * after the other.
 */
export class PublicationScanner {
  readonly #maxBytes: number;
  #bytes: Buffer = NOTHING;
  readonly #notes = noNotes();
  readonly #starts: number[] = NAMES.map(() => ABSENT);
  readonly #ends: number[] = NAMES.map(() => ABSENT);
  #isPlain = false;
  /** The last channel and the last type that were correct. Most bodies repeat them. */
  #channel: ChannelName | undefined;
  #type: string | undefined;

  /** @param maxBytes the limit for the data in their delivered form */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Scans the JSON value that begins at `start`. Returns the offset after it.
   * @param bytes valid UTF-8
   * @throws MalformedJson, TooDeepJson
   */
  scan(bytes: Buffer, start: number): number {
    this.#bytes = bytes;
    this.#notes.loneSurrogate = false;
    this.#notes.blanks = false;
    this.#notes.bits = 0;
    this.#notes.escapes = false;
    this.#isPlain = bytes[start] === OPEN_OBJECT;
    for (let i = 0; i < NAMES.length; i++) this.#starts[i] = ABSENT;
    return scanValue(bytes, start, this.#notes, this.#onMember);
  }

  /** The publication that {@link scan} found; undefined when the value is another one, or is not correct. */
  get publication(): Publication | undefined {
    if (!this.#isPlain || this.#notes.loneSurrogate) return undefined;
    const channel = this.#channelName();
    const type = this.#eventType();
    const end = this.#starts[CLOSE] !== ABSENT && this.#byte(CLOSE) === 0x74;
    if (channel === undefined || type === null || !this.#isCloseRight()) return undefined;
    const ifLast = this.#starts[IF_LAST] === ABSENT ? undefined : parseEventId(this.#text(IF_LAST) ?? '');
    if (ifLast === undefined && this.#starts[IF_LAST] !== ABSENT) return undefined;
    const key = this.#starts[KEY] === ABSENT ? undefined : (this.#text(KEY) ?? '');
    if (key !== undefined && !EVENT_KEY.test(key)) return undefined;
    if (this.#starts[DATA] === ABSENT)
      return end && type === undefined && key === undefined
        ? { channel, event: undefined, end, ifLast }
        : undefined;
    const data = this.#text(DATA) ?? this.#json(DATA);
    // Without an escape a string holds no control character.
    if ((this.#notes.escapes && data.includes('\0')) || !fits(data, this.#maxBytes)) return undefined;
    return { channel, event: { type, key, data }, end, ifLast };
  }

  /**
   * Reads a body that is one publication.
   * @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `body-too-large`
   */
  readBody(body: Buffer | undefined): Publication | Broadcast {
    if (body === undefined || body.length === 0)
      throw invalidBody([{ pointer: '', detail: 'is empty; send {"channel":"news","data":"hello"}' }]);
    const start = blanksEnd(body, 0, this.#notes);
    const publication = this.#readWhole(body, start);
    if (publication !== undefined) return publication;
    requireUtf8(body);
    if (body[start] === OPEN_LIST)
      throw invalidBody([{ pointer: '', detail: 'is a list, which is not one event' }]);
    return parsePublication(body, this.#maxBytes);
  }

  #readWhole(body: Buffer, start: number): Publication | undefined {
    try {
      const end = this.scan(body, start);
      if (blanksEnd(body, end, this.#notes) !== body.length) return undefined;
      // Outside of strings JSON is ASCII, and the scan has seen all bytes of the strings.
      return this.#isAscii || isUtf8(body) ? this.publication : undefined;
    } catch (error) {
      if (error instanceof MalformedJson || error instanceof TooDeepJson) return undefined;
      throw error;
    } finally {
      // The scanner of the publisher lives for long, and a body may be large.
      this.#bytes = NOTHING;
    }
  }

  readonly #onMember = (name: number, start: number, end: number): void => {
    const known = nameIndex(this.#bytes, name, NAMES);
    if (known < 0) {
      this.#isPlain = false;
      return;
    }
    this.#starts[known] = start;
    this.#ends[known] = end;
  };

  get #isAscii(): boolean {
    return this.#notes.bits < 0x80;
  }

  #byte(field: number): number | undefined {
    return this.#bytes[this.#starts[field] as number];
  }

  /** The text of a field that is a string; undefined when it is not a string. */
  #text(field: number): string | undefined {
    if (this.#byte(field) !== QUOTE) return undefined;
    const [start, end] = [this.#starts[field] as number, this.#ends[field] as number];
    return this.#isAscii && !this.#notes.escapes
      ? this.#bytes.toString('latin1', start + 1, end - 1)
      : textAt(this.#bytes, start, end);
  }

  #json(field: number): string {
    const [start, end] = [this.#starts[field] as number, this.#ends[field] as number];
    return this.#notes.blanks
      ? compactText(this.#bytes, start, end)
      : this.#bytes.toString('utf8', start, end);
  }

  #channelName(): ChannelName | undefined {
    if (this.#starts[CHANNEL] === ABSENT) return undefined;
    const text = this.#text(CHANNEL);
    if (text === undefined) return undefined;
    if (text === this.#channel) return this.#channel;
    try {
      this.#channel = parseChannelName(text);
      return this.#channel;
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  /** Null for a type that is not correct. */
  #eventType(): string | undefined | null {
    if (this.#starts[EVENT] === ABSENT) return undefined;
    const text = this.#text(EVENT);
    if (text === undefined) return null;
    if (text !== this.#type && !EventType.safeParse(text).success) return null;
    this.#type = text;
    return text;
  }

  #isCloseRight(): boolean {
    if (this.#starts[CLOSE] === ABSENT) return true;
    const first = this.#byte(CLOSE);
    // The scan has checked the word: `true` or `false`.
    return first === 0x74 || first === 0x66;
  }
}
