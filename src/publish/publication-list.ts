import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { BodyFault } from '../events/errors.ts';
import type { EventId, NewEvent } from '../events/event.ts';
import { MAX_FAULTS, invalidBody } from './body-faults.ts';
import { requireUtf8 } from './json-body.ts';
import { MAX_DEPTH, TooDeepJson } from './json-scanner.ts';
import { CLOSE_LIST, COMMA, LF, MalformedJson, OPEN_LIST, blanksEnd, noNotes } from './json-tokens.ts';
import { parsePublication } from './publication.ts';
import type { Publication } from './publication.ts';
import { PublicationScanner } from './publication-scanner.ts';

/** The largest number of publications in one body. */
export const MAX_PUBLICATIONS = 10_000;

/** Bytes that are read between two looks at the clock. */
const STEP_BYTES = 16 * 1024;

/** What a body holds for one channel. */
export interface ChannelPublications {
  readonly channel: ChannelName;
  readonly events: NewEvent[];
  /** Whether the channel ends after the events. */
  end: boolean;
  /** The events are appended only if this is the channel's tail. */
  readonly ifLast: EventId | undefined;
}

/** A checked body of many publications. */
export interface PublicationList {
  /** In the order in which the body names the channels. */
  readonly channels: readonly ChannelPublications[];
  /** One for each publication, in the order of the body. */
  readonly items: readonly ListItem[];
}

interface ListItem {
  readonly of: ChannelPublications;
  /** The index of the publication's event in `of.events`. For an end without an event: of the event before it, or 0. */
  readonly index: number;
}

/** `list` is a JSON array. `lines` is NDJSON: a JSON object in each line. */
export type ListForm = 'list' | 'lines';

/** Whether a JSON body is a list, and not an object. */
export function isList(body: Buffer): boolean {
  return body[blanksEnd(body, 0, noNotes())] === OPEN_LIST;
}

/** Reads a body of many publications in slices. Nothing may be appended before all of it has been read. */
export class PublicationListReader {
  readonly #body: Buffer;
  readonly #form: ListForm;
  readonly #maxBytes: number;
  readonly #scanner: PublicationScanner;
  readonly #channels = new Map<ChannelName, ChannelPublications>();
  readonly #items: ListItem[] = [];
  readonly #faults: BodyFault[] = [];
  /** The offset of the next publication. */
  #at = 0;
  /** The number of the line at {@link #at}, from 1. */
  #line = 1;
  #begun = false;
  readonly #ignored = noNotes();

  /** @param maxBytes the limit for the data of an event in their delivered form */
  constructor(body: Buffer, form: ListForm, maxBytes: number) {
    this.#body = body;
    this.#form = form;
    this.#maxBytes = maxBytes;
    this.#scanner = new PublicationScanner(maxBytes);
  }

  /**
   * Reads until `until` (ms, `performance.now()`) or the end. Returns undefined when there is more to read.
   * @throws BrokerError `invalid-body` with a pointer to each fault, `invalid-channel`, `body-too-large`
   */
  readUntil(until: number): PublicationList | undefined {
    if (!this.#begun) this.#begin();
    for (let checked = this.#at; ;) {
      const more = this.#form === 'list' ? this.#readItem() : this.#readLine();
      if (!more || this.#faults.length > MAX_FAULTS) return this.#result();
      if (this.#at - checked < STEP_BYTES) continue;
      if (performance.now() >= until) return undefined;
      checked = this.#at;
    }
  }

  #begin(): void {
    this.#begun = true;
    requireUtf8(this.#body);
    if (this.#form === 'lines') return;
    const open = this.#skipBlanks(0);
    if (this.#body[open] !== OPEN_LIST) throw malformed('');
    this.#at = open + 1;
    const first = this.#skipBlanks(this.#at);
    if (this.#body[first] !== CLOSE_LIST) return;
    if (this.#skipBlanks(first + 1) < this.#body.length) throw malformed('');
    throw invalidBody([{ pointer: '', detail: 'is an empty list' }]);
  }

  /** Reads a publication of the list, and the comma or bracket behind it. Returns false at the end of the list. */
  #readItem(): boolean {
    const pointer = `/${this.#items.length}`;
    const start = this.#skipBlanks(this.#at);
    const end = this.#scan(this.#body, start, pointer, '');
    this.#take(this.#body, start, end, pointer, '');
    const next = this.#skipBlanks(end);
    this.#at = next + 1;
    if (this.#body[next] === COMMA) return true;
    if (this.#body[next] !== CLOSE_LIST || this.#skipBlanks(this.#at) < this.#body.length)
      throw malformed('');
    return false;
  }

  /** Reads the publication of a line. Returns false at the end of the body. */
  #readLine(): boolean {
    if (this.#at >= this.#body.length) return false;
    const lf = this.#body.indexOf(LF, this.#at);
    const line = this.#body.subarray(this.#at, lf < 0 ? this.#body.length : lf);
    const start = blanksEnd(line, 0, this.#ignored);
    if (start < line.length) {
      const pointer = `/${this.#items.length}`;
      const where = ` (line ${this.#line})`;
      const end = this.#scan(line, start, pointer, where);
      if (blanksEnd(line, end, this.#ignored) < line.length) throw malformed(pointer, where);
      this.#take(line, start, end, pointer, where);
    }
    this.#at += line.length + 1;
    this.#line++;
    return true;
  }

  #scan(bytes: Buffer, start: number, pointer: string, where: string): number {
    if (this.#items.length === MAX_PUBLICATIONS)
      throw new BrokerError(
        'body-too-large',
        `The body has more than ${MAX_PUBLICATIONS} events. Nothing was published. Send fewer events in a body.`,
      );
    try {
      return this.#scanner.scan(bytes, start);
    } catch (error) {
      if (error instanceof MalformedJson) throw malformed(pointer, where);
      if (error instanceof TooDeepJson)
        throw invalidBody([{ pointer, detail: `is nested deeper than ${MAX_DEPTH} levels${where}` }]);
      throw error;
    }
  }

  #take(bytes: Buffer, start: number, end: number, pointer: string, where: string): void {
    const publication = this.#scanner.publication ?? this.#parse(bytes.subarray(start, end), pointer, where);
    if (publication !== undefined) this.#add(publication, pointer, where);
  }

  /** Reads a publication that the scanner does not take. Returns undefined, and notes the faults, when it is not correct. */
  #parse(bytes: Buffer, pointer: string, where: string): Publication | undefined {
    let detail = 'is not allowed in a body of many events';
    let faults: readonly BodyFault[] = [{ pointer: '/channels', detail }];
    try {
      const publication = parsePublication(bytes, this.#maxBytes);
      if (publication.channels === undefined) return publication;
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      detail = error.message;
      faults = error.faults.length > 0 ? error.faults : [{ pointer: '', detail }];
      if (error.code !== 'invalid-body' && this.#faults.length === 0)
        throw new BrokerError(error.code, `Event ${this.#items.length}${where}: ${detail}`, {
          faults: faults.map((fault) => ({ ...fault, pointer: pointer + fault.pointer })),
        });
    }
    for (const fault of faults)
      this.#faults.push({ pointer: pointer + fault.pointer, detail: fault.detail + where });
    // Counts as an item, so that the next pointer is right.
    this.#items.push(NO_ITEM);
    return undefined;
  }

  #add({ channel, event, end, ifLast }: Publication, pointer: string, where: string): void {
    let of = this.#channels.get(channel);
    if (of === undefined) {
      of = { channel, events: [], end: false, ifLast };
      this.#channels.set(channel, of);
    } else if (of.end) {
      this.#faults.push({ pointer, detail: `comes after the close of its channel${where}` });
    } else if (ifLast !== undefined) {
      const detail = `is allowed only in the first event of a channel${where}`;
      this.#faults.push({ pointer: `${pointer}/ifLast`, detail });
    }
    if (event !== undefined) of.events.push(event);
    if (end) of.end = true;
    this.#items.push({ of, index: Math.max(0, of.events.length - 1) });
  }

  #result(): PublicationList {
    if (this.#faults.length > 0)
      throw invalidBody(this.#faults, this.#faults.length > MAX_FAULTS ? Infinity : 0);
    if (this.#items.length === 0) throw invalidBody([{ pointer: '', detail: 'is empty' }]);
    return { channels: [...this.#channels.values()], items: this.#items };
  }

  #skipBlanks(at: number): number {
    return blanksEnd(this.#body, at, this.#ignored);
  }
}

const NO_ITEM: ListItem = {
  of: { channel: '' as ChannelName, events: [], end: false, ifLast: undefined },
  index: 0,
};

function malformed(pointer: string, where = ''): BrokerError {
  return invalidBody([{ pointer, detail: `is not valid JSON${where}` }]);
}
