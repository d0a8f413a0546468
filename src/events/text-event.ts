import { Buffer } from 'node:buffer';
import type { EventId, StoredEvent } from './event.ts';

/** The parts of an event that its record is made of (see `record.ts`). */
interface EventText {
  readonly type: string | undefined;
  /** The record before the data. */
  readonly head: string;
  readonly data: string;
  /** The length of the record in bytes. */
  readonly bytes: number;
}

/**
 * An event that was published at this replica, as text. Most of these events are written once, to a few readers, and a text can be
 * written as it is. So no memory outside of the heap is allocated for them.
 */
export class TextEvent implements StoredEvent {
  readonly id: EventId;
  readonly prev: EventId;
  readonly type: string | undefined;
  readonly data: string;
  /** The length of the record in bytes. */
  readonly bytes: number;
  readonly #head: string;

  constructor(id: EventId, prev: EventId, { type, head, data, bytes }: EventText) {
    this.id = id;
    this.prev = prev;
    this.type = type;
    this.data = data;
    this.bytes = bytes;
    this.#head = head;
  }

  /** Whether each character of the record is one byte. */
  get isAscii(): boolean {
    return this.bytes === this.#head.length + this.data.length;
  }

  /** Encodes the record anew at each call. Nothing else uses the memory of the buffer. */
  get record(): Buffer {
    const record = Buffer.allocUnsafeSlow(this.bytes);
    record.write(this.data, record.write(this.#head));
    return record;
  }
}
