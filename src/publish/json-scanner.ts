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
  noNotes,
  stringEnd,
  wordEnd,
} from './json-tokens.ts';
import type { JsonNotes } from './json-tokens.ts';

/** Nesting beyond this many levels is refused. */
export const MAX_DEPTH = 200;

export class TooDeepJson extends Error {
  override readonly name = 'TooDeepJson';
}

/** Called for each member of the outermost object, with the offsets of its name and of the start and end of its value. */
export type OnMember = (name: number, value: number, end: number) => void;

export interface JsonScan extends Readonly<JsonNotes> {
  /** The first byte of the value. It says whether the value is an object, a list, a string and so on. */
  readonly kind: number;
}

/**
 * Checks JSON text in UTF-8 without making values. One pass over the bytes takes some milliseconds for any text of 1 MiB.
 * JSON.parse takes several times as long for `[{},{},{}…`, and a check of its result would double that.
 * @throws MalformedJson, TooDeepJson
 */
export function scanJson(bytes: Buffer, onMember: OnMember): JsonScan {
  const notes = noNotes();
  const start = blanksEnd(bytes, 0, notes);
  const end = blanksEnd(bytes, scanValue(bytes, start, notes, onMember), notes);
  if (end < bytes.length) throw new MalformedJson();
  return { kind: bytes[start] ?? 0, ...notes };
}

/**
 * Checks the value that begins at `start`. Returns the offset after the value.
 * @throws MalformedJson, TooDeepJson
 */
export function scanValue(bytes: Buffer, start: number, notes: JsonNotes, onMember: OnMember): number {
  /** The closing bracket for each open bracket. */
  const open: number[] = [];
  let at = start;
  const isObject = bytes[at] === OPEN_OBJECT;
  /** Offsets of the name and the value of the current member of the outermost object. */
  let name = 0;
  let value = 0;

  for (;;) {
    // A value begins here.
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
    // A value ended here. Its object or list may end here, too.
    for (;;) {
      if (open.length === 0) return at;
      if (open.length === 1 && isObject) onMember(name, value, at);
      at = blanksEnd(bytes, at, notes);
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

/** Returns the text of a value without the blanks outside its strings. Other bytes are not changed. */
export function compactText(bytes: Buffer, start: number, end: number): string {
  const compact = Buffer.allocUnsafe(end - start);
  let length = 0;
  let inString = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (!inString && isBlank(byte)) continue;
    compact[length++] = byte;
    if (byte === QUOTE) inString = !inString;
    // An escaped quote does not end the string.
    else if (byte === BACKSLASH) compact[length++] = bytes[++at] as number;
  }
  return compact.toString('utf8', 0, length);
}

/** Returns the offset of the value for the name at `at`. */
function nameEnd(bytes: Buffer, at: number, notes: JsonNotes): number {
  if (bytes[at] !== QUOTE) throw new MalformedJson();
  const colon = blanksEnd(bytes, stringEnd(bytes, at, notes), notes);
  if (bytes[colon] !== COLON) throw new MalformedJson();
  return blanksEnd(bytes, colon + 1, notes);
}
