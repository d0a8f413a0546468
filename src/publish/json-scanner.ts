import {
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  MalformedJson,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  blanksEnd,
  isBlank,
  stringEnd,
  wordEnd,
} from './json-tokens.ts';
import type { JsonNotes } from './json-tokens.ts';

/** Deeper nesting than anybody means. */
export const MAX_DEPTH = 200;

export class TooDeepJson extends Error {
  override readonly name = 'TooDeepJson';
}

/** Hears of each member of the object that the text is: where its name begins, and where its value stands. */
export type OnMember = (name: number, value: number, end: number) => void;

export interface JsonScan extends Readonly<JsonNotes> {
  /** The first byte of the value, which says what it is. */
  readonly kind: number;
}

/**
 * Reads JSON text in UTF-8 without making values of it: one walk over the bytes takes some milliseconds for 1 MiB whatever
 * is in it. What JSON.parse makes of `[{},{},{}…` takes a multiple of that, and to look at it the same again.
 * @throws MalformedJson, TooDeepJson
 */
export function scanJson(bytes: Buffer, onMember: OnMember): JsonScan {
  const notes: JsonNotes = { loneSurrogate: false, blanks: false };
  /** What closes each of the brackets that are open. */
  const open: number[] = [];
  let at = blanksEnd(bytes, 0, notes);
  const kind = bytes[at] ?? 0;
  /** Of the member of the outermost object that is being read. */
  let name = 0;
  let value = 0;

  for (;;) {
    // Here a value begins.
    const byte = bytes[at];
    if (open.length === 1) value = at;
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      if (open.length > MAX_DEPTH) throw new TooDeepJson();
      const close = byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_LIST;
      open.push(close);
      at = blanksEnd(bytes, at + 1, notes);
      if (bytes[at] !== close) {
        if (open.length === 1) name = at;
        if (byte === OPEN_OBJECT) at = nameEnd(bytes, at, notes);
        continue;
      }
      at++;
      open.pop();
    } else {
      at = byte === QUOTE ? stringEnd(bytes, at, notes) : wordEnd(bytes, at);
    }
    // Here a value is over, and with it perhaps what it is the last part of.
    for (;;) {
      if (open.length === 1 && kind === OPEN_OBJECT) onMember(name, value, at);
      at = blanksEnd(bytes, at, notes);
      if (open.length === 0) {
        if (at < bytes.length) throw new MalformedJson();
        return { kind, ...notes };
      }
      const close = open[open.length - 1];
      if (bytes[at] === COMMA) {
        at = blanksEnd(bytes, at + 1, notes);
        if (open.length === 1) name = at;
        if (close === CLOSE_OBJECT) at = nameEnd(bytes, at, notes);
        break;
      }
      if (bytes[at] !== close) throw new MalformedJson();
      at++;
      open.pop();
    }
  }
}

/** The text of a value without the blanks outside of its strings; all else is as it came. */
export function compactText(bytes: Buffer, start: number, end: number): string {
  const compact = Buffer.allocUnsafe(end - start);
  let length = 0;
  let inString = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (!inString && isBlank(byte)) continue;
    compact[length++] = byte;
    if (byte === QUOTE) inString = !inString;
    // What is escaped, a quote above all, ends no string.
    else if (byte === BACKSLASH) compact[length++] = bytes[++at] as number;
  }
  return compact.toString('utf8', 0, length);
}

/** Where the value begins that the name at `at` is for. */
function nameEnd(bytes: Buffer, at: number, notes: JsonNotes): number {
  if (bytes[at] !== QUOTE) throw new MalformedJson();
  const colon = blanksEnd(bytes, stringEnd(bytes, at, notes), notes);
  if (bytes[colon] !== COLON) throw new MalformedJson();
  return blanksEnd(bytes, colon + 1, notes);
}
