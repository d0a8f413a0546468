/** Larger heads are unusual. */
export const MAX_HEAD_BYTES = 8 * 1024;
const MAX_FIELDS = 64;

/** The end of a request's head. */
export const HEAD_END = '\r\n\r\n';

/**
 * A field line with the line break before it: RFC 9110 §5.1 and §5.5, without `obs-text`. A line of this form does not fold
 * (RFC 9112 §5.2) and holds no CR or LF. Each of the two repetitions has a class of characters that the next part of the
 * expression lacks, so it takes linear time.
 */
const FIELD = /\r\n([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e]*)/y;

/** Which fields a lane reads, and which it leaves to the HTTP server. Names in lower case. */
export interface FieldRules {
  /** Fields that change the framing, the meaning or the answer of a request. */
  readonly unusual: ReadonlySet<string>;
  /** Fields that the lane reads. A request that has one of them twice is unusual. */
  readonly known: ReadonlySet<string>;
}

/**
 * Reads the known fields of a head.
 * @param head the head without the empty line at its end; one character for each byte
 * @param start where the line break behind the request line is
 * @returns undefined for a head that could have another meaning for somebody else
 */
export function readFields(
  head: string,
  start: number,
  { unusual, known }: FieldRules,
): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  for (let at = start, count = 0; at < head.length; at = FIELD.lastIndex) {
    FIELD.lastIndex = at;
    const match = FIELD.exec(head);
    if (match === null || ++count > MAX_FIELDS) return undefined;
    const name = (match[1] as string).toLowerCase();
    if (unusual.has(name) || fields.has(name)) return undefined;
    // The value holds no white space but blanks and tabs, so `trim` removes nothing else.
    if (known.has(name)) fields.set(name, (match[2] as string).trim());
  }
  return fields;
}
