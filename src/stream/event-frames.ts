import type { EventRun, RunView } from '../events/event-run.ts';
import type { StoredEvent } from '../events/event.ts';
import { readRecord } from '../events/record.ts';
import { sharedBytes } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';

const LF = 0x0a;
const CR = 0x0d;
const NEXT_LINE = Buffer.from('\ndata: ');
const BLANK_LINE = '\n\n';

/** The parts of one event as an EventSource reads it (WHATWG HTML §9.2.5 and §9.2.6), before they are copied together. */
interface Frame {
  /** The text before the data; `headLength` bytes of UTF-8. */
  readonly head: string;
  readonly headLength: number;
  readonly data: Buffer;
  /** Bytes that `data` takes with a field name in front of each line; -1 when `data` holds no line break. */
  readonly linesLength: number;
  readonly end: string;
}

/** A run as consecutive SSE frames, each with its id. */
export const EVENT_FRAMES: RunView<SharedBytes> = { encode };

/** Where each frame of a run begins, and where the last one ends. For subscribers that get parts of the run. */
const FRAME_STARTS: RunView<readonly number[]> = {
  encode({ events }) {
    let at = 0;
    return [0, ...events.map((event) => (at += frameLength(frameOf(event))))];
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
  const frames = events.map(frameOf);
  let length = 0;
  for (const frame of frames) length += frameLength(frame);
  return sharedBytes(length, (target, start) => {
    let at = start;
    for (const frame of frames) at = writeFrame(frame, target, at);
  });
}

function frameOf({ id, record }: StoredEvent): Frame {
  const fields = readRecord(record);
  if (fields.version === 0) {
    const head = `id: ${id}\n`;
    return { head, headLength: head.length, data: fields.fields, linesLength: -1, end: '' };
  }
  const { type, data } = fields;
  // A type holds no line break. Otherwise a publisher could write fields of its own (CWE-93).
  const head = type === undefined ? `id: ${id}\ndata: ` : `id: ${id}\nevent: ${type}\ndata: `;
  const headLength = type === undefined ? head.length : Buffer.byteLength(head);
  const hasLines = data.includes(LF) || data.includes(CR);
  return { head, headLength, data, linesLength: hasLines ? linesLength(data) : -1, end: BLANK_LINE };
}

function frameLength({ headLength, data, linesLength: lines, end }: Frame): number {
  return headLength + (lines < 0 ? data.length : lines) + end.length;
}

/** Returns the offset after the frame. */
function writeFrame(frame: Frame, target: Buffer, start: number): number {
  const { head, headLength, data, linesLength: lines, end } = frame;
  // Writing Latin-1 is quicker, and gives the same bytes when each character is one byte.
  const encoding = headLength === head.length ? 'latin1' : 'utf8';
  let at = start + target.write(head, start, encoding);
  at = lines < 0 ? at + data.copy(target, at) : writeLines(data, target, at);
  return at + target.write(end, at, 'latin1');
}

/** Each of CRLF, CR and LF ends a line for the reader, and so begins a new data field. */
function linesLength(data: Buffer): number {
  let length = data.length;
  for (let i = 0; i < data.length; i++) {
    const byte = data[i];
    if (byte === LF) length += NEXT_LINE.length - 1;
    else if (byte === CR) length += data[i + 1] === LF ? -1 : NEXT_LINE.length - 1;
  }
  return length;
}

function writeLines(data: Buffer, target: Buffer, start: number): number {
  let at = start;
  for (let i = 0; i < data.length; i++) {
    const byte = data[i] as number;
    if (byte === CR && data[i + 1] === LF) continue;
    if (byte === LF || byte === CR) {
      // Byte by byte, because a call to copy costs more than writing seven bytes.
      for (let j = 0; j < NEXT_LINE.length; j++) target[at++] = NEXT_LINE[j] as number;
    } else {
      target[at++] = byte;
    }
  }
  return at;
}
