import { CliError } from './cli-error.ts';

/** The broker takes 10,000 events in a body. Smaller bodies say sooner what is published. */
const MAX_EVENTS = 1_000;
/** By default the broker takes bodies up to this size (SLUICE_MAX_BODY_BYTES). */
const MAX_BODY_BYTES = 1_024 ** 2;
/** What is held in memory of a line. The broker says that a shorter line is too large for it. */
const MAX_LINE_BYTES = 64 * 1_024 ** 2;
const LF = 0x0a;

/** A part of the input that is one request. */
export interface NdjsonBody {
  readonly bytes: Uint8Array;
  /** The line of the input that is the body's first: 1 for the first line of all. */
  readonly firstLine: number;
  readonly events: number;
}

/**
 * Divides NDJSON into bodies, at line ends. A line that is larger than a body is a body of its own.
 * @param eager whether a body ends where the input pauses. Otherwise the division depends on the bytes alone, and is the same
 *   when the input is sent again
 */
export async function* ndjsonBodies(
  input: AsyncIterable<Uint8Array>,
  { eager }: { readonly eager: boolean },
): AsyncGenerator<NdjsonBody> {
  let lines: Uint8Array[] = [];
  let bytes = 0;
  let events = 0;
  let line = 1;
  let firstLine = 1;
  const body = (): NdjsonBody => {
    const made = { bytes: Buffer.concat(lines), firstLine, events };
    [lines, bytes, events, firstLine] = [[], 0, 0, line];
    return made;
  };
  for await (const one of linesOf(input)) {
    if (one === 'pause') {
      if (eager && events > 0) yield body();
      continue;
    }
    const isEvent = one.some((byte) => byte > 0x20);
    if (events > 0 && (bytes + one.byteLength > MAX_BODY_BYTES || (isEvent && events === MAX_EVENTS)))
      yield body();
    lines.push(one);
    bytes += one.byteLength;
    line++;
    if (isEvent) events++;
    else if (events === 0) body();
  }
  if (events > 0) yield body();
}

/** Yields each line with its LF, and `pause` when all that has arrived is used. */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array | 'pause'> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const piece of input) {
    let begin = 0;
    for (let end = piece.indexOf(LF); end !== -1; end = piece.indexOf(LF, begin)) {
      yield Buffer.concat([...held, piece.subarray(begin, end + 1)]);
      held = [];
      heldBytes = 0;
      begin = end + 1;
    }
    if (begin < piece.byteLength) {
      held.push(piece.subarray(begin));
      heldBytes += piece.byteLength - begin;
      if (heldBytes > MAX_LINE_BYTES)
        throw new CliError(`A line of the input has more than ${MAX_LINE_BYTES} bytes.`);
    }
    yield 'pause';
  }
  if (held.length > 0) yield Buffer.concat(held);
}
