import { isUtf8 } from 'node:buffer';
import { BrokerError } from '../core/errors.ts';
import { MAX_FAULTS, invalidBody } from './body-faults.ts';
import { MAX_DEPTH, TooDeepJson, compactText, scanJson } from './json-scanner.ts';
import {
  BACKSLASH,
  LETTER_U,
  MalformedJson,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  stringEnd,
  unitAt,
} from './json-tokens.ts';

/** Of a body that is no publication, in bytes. A token has room for a tenth of that. */
const MAX_SHORT = 64 * 1024;

/** @throws BrokerError `invalid-body` for what is not UTF-8 */
export function decodeUtf8(body: Buffer): string {
  requireUtf8(body);
  return body.toString('utf8');
}

/**
 * For a request that says little: what is more than any that could be granted is not read.
 * @throws BrokerError `body-too-large`
 */
export function requireShort(body: Buffer): void {
  if (body.length > MAX_SHORT)
    throw new BrokerError(
      'body-too-large',
      `The body has ${body.length} bytes; ${MAX_SHORT} are allowed here.`,
    );
}

/** A body that is JSON, as far as the fields are concerned that it may have. */
export interface JsonBody {
  /**
   * For a schema: of an object these fields, and some of those that it may not have; of a list an empty one, null for
   * everything else. In a field an empty object stands for any object, and for any list unless `lists` are read.
   */
  readonly value: unknown;
  /** How many fields it has besides that it may not have. */
  readonly more: number;
  /** Whether a string anywhere, a name included, holds half of a surrogate pair. */
  readonly loneSurrogate: boolean;
  /** The JSON text of a field that it has, without blanks between its parts. */
  readonly textOf: (field: string) => string;
}

export interface JsonFields {
  /** In ASCII. */
  readonly names: readonly string[];
  /** Pointer to the field that takes any JSON, if there is one. */
  readonly deepest?: string;
  /** Whether lists are read, too: for bodies of a bounded size. */
  readonly lists?: boolean;
}

/**
 * Reads JSON in time that grows with its length alone, whatever is in it: no value is made of what no field needs. Of a
 * field that comes twice the last counts, as for JSON.parse.
 * @throws BrokerError `invalid-body`
 */
export function readJson(body: Buffer, { names, deepest = '', lists = false }: JsonFields): JsonBody {
  requireUtf8(body);
  const starts: (number | undefined)[] = [];
  const ends: number[] = [];
  const strange: string[] = [];
  let more = 0;
  const onMember = (name: number, start: number, end: number): void => {
    for (let i = 0; i < names.length; i++) {
      if (!isName(body, name, names[i] as string)) continue;
      starts[i] = start;
      ends[i] = end;
      return;
    }
    if (strange.length > MAX_FAULTS) {
      more++;
      return;
    }
    const strangeName = textAt(body, name, stringEnd(body, name, { loneSurrogate: false, blanks: false }));
    if (!strange.includes(strangeName)) strange.push(strangeName);
  };
  const { kind, loneSurrogate, blanks } = scanned(body, onMember, deepest);
  const fields: Record<string, unknown> = {};
  for (const [i, name] of names.entries()) {
    const start = starts[i];
    if (start !== undefined) fields[name] = valueAt(body, start, ends[i] as number, lists);
  }
  // As JSON.parse does: one called __proto__ is a field like any other.
  for (const name of strange) Object.defineProperty(fields, name, { value: null, enumerable: true });
  return {
    value: kind === OPEN_OBJECT ? fields : kind === OPEN_LIST ? [] : null,
    more,
    loneSurrogate,
    textOf: (field) => {
      const i = names.indexOf(field);
      const [start = 0, end = 0] = [starts[i], ends[i]];
      return blanks ? compactText(body, start, end) : body.toString('utf8', start, end);
    },
  };
}

function scanned(
  body: Buffer,
  onMember: Parameters<typeof scanJson>[1],
  deepest: string,
): ReturnType<typeof scanJson> {
  try {
    return scanJson(body, onMember);
  } catch (error) {
    if (error instanceof TooDeepJson)
      throw invalidBody([{ pointer: deepest, detail: `is nested deeper than ${MAX_DEPTH} levels` }]);
    if (error instanceof MalformedJson) throw invalidBody([{ pointer: '', detail: 'is not valid JSON' }]);
    throw error;
  }
}

function requireUtf8(body: Buffer): void {
  if (!isUtf8(body)) throw invalidBody([{ pointer: '', detail: 'is not valid UTF-8' }]);
}

function valueAt(body: Buffer, start: number, end: number, lists: boolean): unknown {
  // Not an empty list, which has a length that a schema would look at.
  if (body[start] === OPEN_OBJECT || (body[start] === OPEN_LIST && !lists)) return {};
  if (body[start] === QUOTE) return textAt(body, start, end);
  return JSON.parse(body.toString('utf8', start, end));
}

/** Of a string, with its quotes. */
function textAt(body: Buffer, start: number, end: number): string {
  const text = body.toString('utf8', start, end);
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

/** Compared where it stands: of 200,000 names, nearly all differ from these in the first character. */
function isName(body: Buffer, quote: number, name: string): boolean {
  let at = quote + 1;
  for (let i = 0; i < name.length; i++) {
    if (body[at] === BACKSLASH) {
      // Whatever else is escaped is no letter.
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
