/**
 * The marker in every event: `@` due time `p` publisher `n` number, then filler. The parts have fixed widths, so that a reader
 * needs no search. The marker has only characters that form, JSON and URL encoding do not change.
 */
const DUE_DIGITS = 10;
const PUBLISHER_DIGITS = 3;
const NUMBER_DIGITS = 8;

const DUE = 1;
const PUBLISHER = DUE + DUE_DIGITS + 1;
const NUMBER = PUBLISHER + PUBLISHER_DIGITS + 1;

export const MARKER_LENGTH: number = NUMBER + NUMBER_DIGITS;
/** `@`, `p` and `n`. */
const MARKER_SIGN = 0x40;
const PUBLISHER_SIGN = 0x70;
const NUMBER_SIGN = 0x6e;

export interface Marker {
  /** When the event was due, in µs after the origin of the run. */
  due: number;
  publisher: number;
  /** Counted from 0 by each publisher for each channel. */
  number: number;
}

/** Makes the data of an event, of exactly `size` bytes. */
export function writeMarker({ due, publisher, number }: Marker, size: number): string {
  const head = `@${padded(due, DUE_DIGITS)}p${padded(publisher, PUBLISHER_DIGITS)}n${padded(number, NUMBER_DIGITS)}`;
  return head.padEnd(size, 'x');
}

/** Reads the marker at `at` into `marker`. The caller reuses `marker`, so that nothing is allocated for an event. */
export function readMarker(bytes: Uint8Array, at: number, marker: Marker): boolean {
  if (
    bytes[at] !== MARKER_SIGN ||
    bytes[at + PUBLISHER - 1] !== PUBLISHER_SIGN ||
    bytes[at + NUMBER - 1] !== NUMBER_SIGN
  )
    return false;
  marker.due = digits(bytes, at + DUE, DUE_DIGITS);
  marker.publisher = digits(bytes, at + PUBLISHER, PUBLISHER_DIGITS);
  marker.number = digits(bytes, at + NUMBER, NUMBER_DIGITS);
  return true;
}

function padded(value: number, width: number): string {
  return String(Math.round(value)).padStart(width, '0');
}

function digits(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i++) value = value * 10 + (bytes[i] as number) - 0x30;
  return value;
}
