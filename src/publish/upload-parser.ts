import { Buffer } from 'node:buffer';
import { BrokerError } from '../events/errors.ts';
import type { NewEvent } from '../events/event.ts';
import { MAX_APPENDED, MAX_APPENDED_BYTES } from '../log/event-log.ts';
import { EventType, LINE_BREAK_BYTES, fits, tooManyLines } from './publication.ts';
import { UploadLines, decodeLine, faultyLine, tooLongLine } from './upload-lines.ts';

/** `line`: each line of an upload is an event. `event`: the upload is SSE, and each of its events is an event. */
export type UploadForm = 'line' | 'event';

/** How many lines one page may take. An upload may have a hundred thousand lines without an event in one read. */
const MAX_LINES = 2_048;

/** An event of an upload, and the bytes of its data. */
interface ParsedEvent {
  readonly event: NewEvent;
  readonly bytes: number;
}

/** What the events of an upload have in common. */
export interface UploadFields {
  /** The type of each line; undefined for SSE, which has the types itself. */
  readonly type?: string | undefined;
  /** The key of each event. */
  readonly key?: string | undefined;
}

/** Reads the events of an upload as its bytes arrive. */
export class UploadParser {
  readonly #next: () => ParsedEvent | undefined;
  readonly #rest: () => ParsedEvent | undefined;
  readonly #lines: UploadLines;
  readonly #sse: SseEvents | undefined;
  /** An event that did not fit into the last page. */
  #held: ParsedEvent | undefined;
  #fault: BrokerError | undefined;

  /** @param maxBytes the limit for the data of an event in their delivered form */
  constructor(form: UploadForm, fields: UploadFields, maxBytes: number) {
    const isSse = form === 'event';
    this.#lines = new UploadLines(maxBytes, isSse, isSse ? MAX_FIELD_BYTES : 0);
    const events = isSse ? new SseEvents(this.#lines, fields.key, maxBytes) : undefined;
    this.#sse = events;
    const lines = this.#lines;
    this.#next = events === undefined ? () => nextLine(lines, fields, maxBytes) : () => events.next();
    // An event of SSE that has no blank line behind it is incomplete, and is dropped.
    this.#rest = events === undefined ? () => lastLine(lines, fields, maxBytes) : () => dropRest(lines);
  }

  /** The memory of the bytes that were not read yet. More than 0 after {@link take}: there may be more to take. */
  get waiting(): number {
    return this.#lines.waiting;
  }

  /** About the memory of all bytes that are not part of a whole event yet. */
  get held(): number {
    return this.#lines.held + (this.#sse?.held ?? 0);
  }

  /** @throws BrokerError when something is wrong with the bytes behind the events that {@link take} has returned */
  refuseFault(): void {
    if (this.#held === undefined && this.#fault !== undefined) throw this.#fault;
  }

  push(chunk: Buffer): void {
    this.#lines.push(chunk);
  }

  /**
   * The next complete events, as many as one append takes. Reads a limited number of lines, so that one call takes some ms at
   * most. None when these lines hold no complete event.
   */
  take(): readonly NewEvent[] {
    this.#lines.allow(MAX_LINES);
    return this.#page(this.#next);
  }

  /** The event at the end of an upload that is complete. */
  takeRest(): readonly NewEvent[] {
    return this.#page(this.#rest);
  }

  #page(next: () => ParsedEvent | undefined): readonly NewEvent[] {
    const events: NewEvent[] = [];
    let bytes = 0;
    while (events.length < MAX_APPENDED) {
      const parsed = this.#held ?? this.#try(next);
      this.#held = undefined;
      if (parsed === undefined) break;
      if (events.length > 0 && bytes + parsed.bytes > MAX_APPENDED_BYTES) {
        this.#held = parsed;
        break;
      }
      events.push(parsed.event);
      bytes += parsed.bytes;
    }
    return events;
  }

  #try(next: () => ParsedEvent | undefined): ParsedEvent | undefined {
    if (this.#fault !== undefined) return undefined;
    try {
      return next();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      this.#fault = error;
      return undefined;
    }
  }
}

function nextLine(lines: UploadLines, fields: UploadFields, maxBytes: number): ParsedEvent | undefined {
  for (let line = lines.next(); line !== undefined; line = lines.next())
    if (line.length > 0) return eventOf(line, lines.number, fields, maxBytes);
  return undefined;
}

function lastLine(lines: UploadLines, fields: UploadFields, maxBytes: number): ParsedEvent | undefined {
  const line = lines.rest();
  return line === undefined || line.length === 0 ? undefined : eventOf(line, lines.number, fields, maxBytes);
}

/** Checks a line of SSE that has no end. */
function dropRest(lines: UploadLines): undefined {
  const line = lines.rest();
  if (line !== undefined) decodeLine(line, lines.number);
}

/** The event of a line. A CR within the line is a line break of the data. */
function eventOf(line: Buffer, number: number, { type, key }: UploadFields, maxBytes: number): ParsedEvent {
  const data = decodeLine(line, number);
  if (!fits(data, maxBytes)) throw tooManyLines();
  return { event: { type, key, data }, bytes: line.length };
}

const COLON = 0x3a;
const BLANK = 0x20;
const BOM = Buffer.from('\ufeff');
const DATA = Buffer.from('data');
const EVENT = Buffer.from('event');
/** What a line of SSE may have before its data. */
const MAX_FIELD_BYTES = BOM.length + Buffer.byteLength('data: ');

/** Reads the events of a body in the form of SSE (HTML §9.2). Drops ids, reconnection times and comments. */
class SseEvents {
  readonly #lines: UploadLines;
  readonly #key: string | undefined;
  readonly #maxBytes: number;
  #type = '';
  #data: string[] = [];
  /** The bytes of the data in their delivered form. */
  #bytes = 0;

  constructor(lines: UploadLines, key: string | undefined, maxBytes: number) {
    this.#lines = lines;
    this.#key = key;
    this.#maxBytes = maxBytes;
  }

  /** The bytes of an event that has no end yet. */
  get held(): number {
    return this.#bytes;
  }

  next(): ParsedEvent | undefined {
    for (let line = this.#lines.next(); line !== undefined; line = this.#lines.next()) {
      const first = this.#lines.number === 1 && line.subarray(0, BOM.length).equals(BOM);
      const whole = first ? line.subarray(BOM.length) : line;
      if (whole.length > 0) {
        this.#field(whole);
        continue;
      }
      const event = this.#event();
      if (event !== undefined) return event;
    }
    return undefined;
  }

  #field(line: Buffer): void {
    // A line that is dropped has to be text, too.
    decodeLine(line, this.#lines.number);
    const colon = line.indexOf(COLON);
    const name = colon < 0 ? line : line.subarray(0, colon);
    const isData = name.equals(DATA);
    if (!isData && !name.equals(EVENT)) return;
    const start = colon < 0 ? line.length : colon + (line[colon + 1] === BLANK ? 2 : 1);
    const value = line.subarray(start);
    const text = decodeLine(value, this.#lines.number);
    if (!isData) {
      this.#type = text;
      return;
    }
    this.#bytes += value.length + (this.#data.length > 0 ? LINE_BREAK_BYTES : 0);
    if (this.#bytes > this.#maxBytes)
      throw this.#data.length === 0 ? tooLongLine(this.#maxBytes) : tooManyLines();
    this.#data.push(text);
  }

  /** At a blank line: the event that ends there. Without data there is none. */
  #event(): ParsedEvent | undefined {
    const [type, data, bytes] = [this.#type, this.#data, this.#bytes];
    this.#type = '';
    this.#bytes = 0;
    if (data.length === 0) return undefined;
    this.#data = [];
    // Events of another Sluice about its own stream.
    if (type.startsWith('sluice:')) return undefined;
    const fault = type === '' ? undefined : EventType.safeParse(type).error?.issues[0]?.message;
    if (fault !== undefined) throw faultyLine(this.#lines.number, `ends an event whose type ${fault}`);
    const event = { type: type === '' ? undefined : type, key: this.#key, data: data.join('\n') };
    return { event, bytes };
  }
}
