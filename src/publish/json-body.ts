import { isUtf8 } from 'node:buffer';
import { BrokerError } from '../events/errors.ts';
import { MAX_FAULTS, invalidBody } from './body-faults.ts';
import { MAX_DEPTH, TooDeepJson, compactText, scanJson } from './json-scanner.ts';
import {
  MalformedJson,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
  nameIndex,
  noNotes,
  stringEnd,
  textAt,
} from './json-tokens.ts';

/** The largest body of a request that is not a publish, in bytes. A token may be a tenth as long. */
const MAX_SHORT_BYTES = 64 * 1024;

/** @throws BrokerError `invalid-body` when the body is not UTF-8 */
export function decodeUtf8(body: Buffer): string {
  requireUtf8(body);
  return body.toString('utf8');
}

/**
 * Refuses a body that is larger than any valid request of its route. To be called before the body is parsed.
 * @throws BrokerError `body-too-large`
 */
export function requireShort(body: Buffer): void {
  if (body.length > MAX_SHORT_BYTES)
    throw new BrokerError(
      'body-too-large',
      `The body has ${body.length} bytes; ${MAX_SHORT_BYTES} are allowed here.`,
    );
}

/** A longer list of a field does not become a value, in bytes of JSON text. */
export const MAX_LIST_BYTES = 256 * 1024;

/** A JSON body with the fields that its route knows. */
export interface JsonBody {
  /**
   * The value for a schema to check. An object has its known fields and up to {@link MAX_FAULTS} + 1 unknown ones. A list is an
   * empty list, and any other value is null. In a field, an empty object stands for any object, and for any list unless `lists`
   * names the field.
   */
  readonly value: unknown;
  /** How many more unknown fields the object has. */
  readonly more: number;
  /** Whether a string or a name in the body holds half of a surrogate pair. */
  readonly loneSurrogate: boolean;
  /** The JSON text of a known field, without blanks between its tokens. */
  readonly textOf: (field: string) => string;
}

/** How many strange names are read as text, to list each once. */
const MAX_LOOKS = 1_000;

export interface JsonFields {
  /** The known fields, in ASCII. */
  readonly names: readonly string[];
  /** RFC 6901 pointer to the field that takes any JSON. The error for too deep nesting points to it. */
  readonly deepest?: string;
  /** The fields of which `value` holds the items of a list, if the list has at most {@link MAX_LIST_BYTES}. */
  readonly lists?: readonly string[];
}

/**
 * Reads a JSON body. The time is linear in the length of any body, because only known fields become values. When a field comes
 * twice, the last one counts, as with JSON.parse.
 * @throws BrokerError `invalid-body`
 */
export function readJson(body: Buffer, { names, deepest = '', lists = [] }: JsonFields): JsonBody {
  requireUtf8(body);
  const starts: (number | undefined)[] = [];
  const ends: number[] = [];
  const strange: string[] = [];
  let more = 0;
  let looked = 0;
  const onMember = (name: number, start: number, end: number): void => {
    const known = nameIndex(body, name, names);
    if (known >= 0) {
      starts[known] = start;
      ends[known] = end;
      return;
    }
    // A body may repeat one strange name 100,000 times.
    if (strange.length > MAX_FAULTS || looked === MAX_LOOKS) {
      more++;
      return;
    }
    looked++;
    const strangeName = textAt(body, name, stringEnd(body, name, noNotes()));
    if (!strange.includes(strangeName)) strange.push(strangeName);
  };
  const { kind, loneSurrogate, blanks } = scanned(body, onMember, deepest);
  const fields: Record<string, unknown> = {};
  for (const [i, name] of names.entries()) {
    const start = starts[i];
    if (start !== undefined) fields[name] = valueAt(body, start, ends[i] as number, lists.includes(name));
  }
  // A field called __proto__ is a field like any other, as with JSON.parse.
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

/** @throws BrokerError `invalid-body` */
export function requireUtf8(body: Buffer): void {
  if (!isUtf8(body)) throw invalidBody([{ pointer: '', detail: 'is not valid UTF-8' }]);
}

function valueAt(body: Buffer, start: number, end: number, list: boolean): unknown {
  // An empty list does not stand for a list, because a schema would check its length.
  if (body[start] === OPEN_OBJECT || (body[start] === OPEN_LIST && !(list && end - start <= MAX_LIST_BYTES)))
    return {};
  if (body[start] === QUOTE) return textAt(body, start, end);
  return JSON.parse(body.toString('utf8', start, end));
}
