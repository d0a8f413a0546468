import type { EventRun, RunView } from '../events/event-run.ts';
import type { StoredEvent } from '../events/event.ts';
import {
  isBrokerType,
  isCleared,
  isBrokerEvent,
  lineGrowth,
  plainDataStart,
  readRecord,
} from '../events/record.ts';
import { TextEvent } from '../events/text-event.ts';
import { sharedBytes } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';

const LF = 0x0a;
const CR = 0x0d;
/** Larger events are written as bytes. */
const MAX_SOLE_BYTES = 4 * 1024;
const NEXT_LINE = Buffer.from('\ndata: ');

/** The parts of one event as an EventSource reads it (WHATWG HTML §9.2.5 and §9.2.6), before they are copied together. */
type Frame = RecordFrame | TextFrame;

/** A whole frame as text. */
interface TextFrame {
  readonly text: string;
  /** In bytes of UTF-8. */
  readonly length: number;
}

interface RecordFrame {
  readonly text: undefined;
  /** The text before the data; `headLength` bytes of UTF-8. */
  readonly head: string;
  readonly headLength: number;
  /** The data reach from `dataStart` to the end of the record. */
  readonly record: Buffer;
  readonly dataStart: number;
  /** By how many bytes the field names of further lines make the data longer; 0 when the data hold no line break. */
  readonly growth: number;
  /** Whether a blank line has to be written behind the data. */
  readonly open: boolean;
}

/** A run as consecutive SSE frames, each with its id. */
export const EVENT_FRAMES: RunView<SharedBytes> = { encode };

/** What a plain stream writes of a run. */
export interface PublishedFrames {
  /** The publishers' events; undefined when the run has only events of the broker. */
  readonly bytes: SharedBytes | undefined;
  /** The index of the event `sluice:cleared` in the run; -1 when there is none. */
  readonly clearedAt: number;
}

/** The publishers' events of a run, without those of the broker. Nearly always these are the bytes of {@link EVENT_FRAMES}. */
export const PUBLISHED_FRAMES: RunView<PublishedFrames> = {
  encode(run) {
    const published = run.events.filter((event) => !isOfBroker(event));
    if (published.length === run.events.length) return { bytes: run.as(EVENT_FRAMES), clearedAt: -1 };
    const clearedAt = run.events.findIndex(isCleared);
    return { bytes: published.length > 0 ? framesOf(published) : undefined, clearedAt };
  },
};

/** Where each frame of a run begins, and where the last one ends. For subscribers that get parts of the run. */
const FRAME_STARTS: RunView<readonly number[]> = {
  encode({ events }) {
    let at = 0;
    return [0, ...events.map((event) => (at += frameLength(frameOf(event))))];
  },
};

/** A run of one event without its id line, one character a byte. For subscribers that each get an id line of their own. */
export const FRAME_TEXT: RunView<string> = {
  encode(run) {
    const { bytes, starts } = frameSlices(run);
    const start = (starts[0] as number) + 'id: \n'.length + run.to.length;
    return bytes.toString('latin1', start, starts[1]);
  },
};

/** The frames of a run in the memory that all readers of the run share. Each frame begins with `id: <id>` and a line break. */
export interface FrameSlices {
  readonly bytes: Buffer;
  /** The offset of each frame of the run, and the end of the last one. */
  readonly starts: readonly number[];
}

export function frameSlices(run: EventRun): FrameSlices {
  const { whole, skipped } = run.partOf ?? { whole: run, skipped: 0 };
  const starts = whole.as(FRAME_STARTS);
  return { bytes: whole.as(EVENT_FRAMES).plain, starts: skipped === 0 ? starts : starts.slice(skipped) };
}

function encode({ events, partOf }: EventRun): SharedBytes {
  if (partOf !== undefined) {
    const { whole, skipped } = partOf;
    const start = whole.as(FRAME_STARTS)[skipped];
    return { plain: whole.as(EVENT_FRAMES).plain.subarray(start), chunk: undefined };
  }
  return framesOf(events);
}

function framesOf(events: readonly StoredEvent[]): SharedBytes {
  const frames = events.map(frameOf);
  let length = 0;
  for (const frame of frames) length += frameLength(frame);
  return sharedBytes(length, (target, start) => {
    let at = start;
    for (const frame of frames) at = writeFrame(frame, target, at);
  });
}

/** What a stream writes of a run that only this stream gets. */
export interface SoleText {
  readonly text: string;
  readonly encoding: 'latin1' | undefined;
}

/**
 * A run of one small event as text. For a single reader a text takes a third of the time of bytes, because no memory has to be
 * allocated for it outside of the heap, and a socket that does not take all of it keeps a copy of the rest. Undefined for other runs.
 */
export function soleText({ events }: EventRun): SoleText | undefined {
  const event = events.length === 1 ? events[0] : undefined;
  if (!(event instanceof TextEvent) || event.bytes > MAX_SOLE_BYTES || hasLines(event.data)) return undefined;
  return { text: frameText(event), encoding: event.isAscii ? 'latin1' : undefined };
}

function hasLines(data: string): boolean {
  return data.includes('\n') || data.includes('\r');
}

/** The frame of an event whose data hold no line break. */
function frameText({ id, type, data }: TextEvent): string {
  // A type holds no line break. Otherwise a publisher could write fields of its own (CWE-93).
  return type === undefined ? `id: ${id}\ndata: ${data}\n\n` : `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`;
}

function isOfBroker(event: StoredEvent): boolean {
  return event instanceof TextEvent ? isBrokerType(event.type) : isBrokerEvent(event.record);
}

function frameOf(event: StoredEvent): Frame {
  if (event instanceof TextEvent && !hasLines(event.data)) {
    const text = frameText(event);
    return { text, length: event.isAscii ? text.length : Buffer.byteLength(text) };
  }
  const { id, record } = event;
  const plainStart = plainDataStart(record);
  if (plainStart >= 0) return openFrame(`id: ${id}\ndata: `, record, plainStart);
  const fields = readRecord(record);
  if (fields.version === 0) {
    const head = `id: ${id}\n`;
    return { text: undefined, head, headLength: head.length, record, dataStart: 1, growth: 0, open: false };
  }
  const { type, data } = fields;
  const dataStart = record.length - data.length;
  // A type holds no line break. Otherwise a publisher could write fields of its own (CWE-93).
  const head = type === undefined ? `id: ${id}\ndata: ` : `id: ${id}\nevent: ${type}\ndata: `;
  return openFrame(head, record, dataStart, Buffer.byteLength(head));
}

function openFrame(head: string, record: Buffer, dataStart: number, headLength = head.length): Frame {
  return {
    text: undefined,
    head,
    headLength,
    record,
    dataStart,
    growth: lineGrowth(record, dataStart),
    open: true,
  };
}

function frameLength(frame: Frame): number {
  if (frame.text !== undefined) return frame.length;
  const { headLength, record, dataStart, growth, open } = frame;
  return headLength + record.length - dataStart + growth + (open ? 2 : 0);
}

/** Returns the offset after the frame. */
function writeFrame(frame: Frame, target: Buffer, start: number): number {
  if (frame.text !== undefined)
    return start + target.write(frame.text, start, frame.length === frame.text.length ? 'latin1' : 'utf8');
  const { head, headLength, record, dataStart, growth, open } = frame;
  // Writing Latin-1 is quicker, and gives the same bytes when each character is one byte.
  const encoding = headLength === head.length ? 'latin1' : 'utf8';
  let at = start + target.write(head, start, encoding);
  at = growth === 0 ? at + record.copy(target, at, dataStart) : writeLines(record, dataStart, target, at);
  if (open) {
    target[at++] = LF;
    target[at++] = LF;
  }
  return at;
}

/** Each of CRLF, CR and LF ends a line for the reader, and so begins a new data field. */
function writeLines(record: Buffer, dataStart: number, target: Buffer, start: number): number {
  let at = start;
  for (let i = dataStart; i < record.length; i++) {
    const byte = record[i] as number;
    if (byte === CR && record[i + 1] === LF) continue;
    if (byte === LF || byte === CR) {
      // Byte by byte, because a call to copy costs more than writing seven bytes.
      for (let j = 0; j < NEXT_LINE.length; j++) target[at++] = NEXT_LINE[j] as number;
    } else {
      target[at++] = byte;
    }
  }
  return at;
}
