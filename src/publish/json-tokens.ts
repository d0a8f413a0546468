/**
 * The tokens of JSON text (RFC 8259) in UTF-8. Each function takes the offset of a token and returns the offset after it.
 * Each byte is read once.
 */

export const LF = 0x0a;
export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_LIST = 0x5b;
export const CLOSE_LIST = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const BACKSLASH = 0x5c;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_U = 0x75;

/** The characters that may follow a backslash, except `u`. */
const ESCAPED: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

export class MalformedJson extends Error {
  override readonly name = 'MalformedJson';
}

/** What the scan found out about the text. */
export interface JsonNotes {
  /** A string holds half of a surrogate pair as an escape. */
  loneSurrogate: boolean;
  /** There are blanks outside strings. */
  blanks: boolean;
  /** All bytes of all strings, joined by "or". Below 0x80 the strings are ASCII. */
  bits: number;
  /** There is a backslash in a string. */
  escapes: boolean;
}

/** What a scan begins with. */
export function noNotes(): JsonNotes {
  return { loneSurrogate: false, blanks: false, bits: 0, escapes: false };
}

export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export function blanksEnd(bytes: Buffer, at: number, notes: JsonNotes): number {
  if (!isBlank(bytes[at])) return at;
  notes.blanks = true;
  let end = at + 1;
  while (isBlank(bytes[end])) end++;
  return end;
}

/** @throws MalformedJson */
export function stringEnd(bytes: Buffer, at: number, notes: JsonNotes): number {
  const { length } = bytes;
  let bits = 0;
  for (let i = at + 1; i < length; i++) {
    const byte = bytes[i] as number;
    if (byte === QUOTE) {
      notes.bits |= bits;
      return i + 1;
    }
    if (byte < 0x20) break;
    bits |= byte;
    if (byte === BACKSLASH) {
      notes.escapes = true;
      i = escapeEnd(bytes, i + 1, notes) - 1;
    }
  }
  throw new MalformedJson();
}

/** For true, false, null and numbers. @throws MalformedJson */
export function wordEnd(bytes: Buffer, at: number): number {
  switch (bytes[at]) {
    case 0x74:
      return literalEnd(bytes, at, 'true');
    case 0x66:
      return literalEnd(bytes, at, 'false');
    case 0x6e:
      return literalEnd(bytes, at, 'null');
    default:
      return numberEnd(bytes, at);
  }
}

/** @param at the offset after the backslash */
function escapeEnd(bytes: Buffer, at: number, notes: JsonNotes): number {
  const byte = bytes[at];
  if (byte !== LETTER_U) {
    if (byte === undefined || !ESCAPED.has(byte)) throw new MalformedJson();
    return at + 1;
  }
  const unit = unitAt(bytes, at + 1);
  if (unit < 0xd800 || unit > 0xdfff) return at + 5;
  if (unit < 0xdc00 && bytes[at + 5] === BACKSLASH && bytes[at + 6] === LETTER_U) {
    const low = unitAt(bytes, at + 7);
    if (low >= 0xdc00 && low <= 0xdfff) return at + 11;
  }
  notes.loneSurrogate = true;
  return at + 5;
}

/** Returns the number in four hexadecimal digits. @throws MalformedJson */
function unitAt(bytes: Buffer, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) unit = unit * 16 + hexDigit(bytes[i]);
  return unit;
}

function hexDigit(byte: number | undefined): number {
  if (isDigit(byte)) return (byte as number) - ZERO;
  const letter = (byte ?? 0) | 0x20;
  if (letter < 0x61 || letter > 0x66) throw new MalformedJson();
  return letter - 0x57;
}

function numberEnd(bytes: Buffer, at: number): number {
  let end = bytes[at] === MINUS ? at + 1 : at;
  end = bytes[end] === ZERO ? end + 1 : digitsEnd(bytes, end);
  if (bytes[end] === POINT) end = digitsEnd(bytes, end + 1);
  const exponent = bytes[end];
  if (exponent !== 0x45 && exponent !== 0x65) return end;
  const sign = bytes[end + 1];
  return digitsEnd(bytes, sign === PLUS || sign === MINUS ? end + 2 : end + 1);
}

/** Skips one or more digits. */
function digitsEnd(bytes: Buffer, at: number): number {
  let end = at;
  while (isDigit(bytes[end])) end++;
  if (end === at) throw new MalformedJson();
  return end;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

function literalEnd(bytes: Buffer, at: number, word: string): number {
  for (let i = 1; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) throw new MalformedJson();
  return at + word.length;
}

/** Returns the text of a string. `start` and `end` include its quotes. */
export function textAt(body: Buffer, start: number, end: number): string {
  const text = body.toString('utf8', start, end);
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

/**
 * Returns which of the names, in ASCII, a field has, or -1. Reads the first character once, escaped or not: in a body with 200,000
 * names, nearly all differ in it.
 */
export function nameIndex(body: Buffer, quote: number, names: readonly string[]): number {
  const at = quote + 1;
  const isEscaped = body[at] === BACKSLASH && body[at + 1] === LETTER_U;
  const first = isEscaped ? unitAt(body, at + 2) : body[at];
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    if (name.charCodeAt(0) === first && isName(body, quote, name)) return i;
  }
  return -1;
}

/** Compares the bytes in place. */
function isName(body: Buffer, quote: number, name: string): boolean {
  let at = quote + 1;
  for (let i = 0; i < name.length; i++) {
    if (body[at] === BACKSLASH) {
      // Only the escape \u can stand for a letter.
      if (body[at + 1] !== LETTER_U) return false;
      if (unitAt(body, at + 2) !== name.charCodeAt(i)) return false;
      at += 6;
    } else {
      if (body[at] !== name.charCodeAt(i)) return false;
      at++;
    }
  }
  return body[at] === QUOTE;
}
