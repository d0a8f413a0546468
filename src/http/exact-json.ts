/** A number that a double may not hold, or an exponent, which may leave its range. */
const INEXACT = /[\d.]{16}|\d[eE]/;
const SURROGATE = /\\u[dD][89a-fA-F]/;

interface SourceContext {
  readonly source?: string;
}

/** In the language since ES2026; the compiler's library does not list them yet. */
const json = JSON as unknown as {
  rawJSON(text: string): unknown;
  parse(text: string, reviver: (key: string, value: unknown, context: SourceContext) => unknown): unknown;
};

/** Whether a number in this JSON text may have lost something when it was parsed. */
export function mayBeInexact(text: string): boolean {
  return INEXACT.test(text);
}

/**
 * Parses JSON so that printing it again loses nothing: a number too long for a double (a 64-bit id, say) keeps its
 * digits, where JSON.parse would round them in silence. Several times as slow as JSON.parse.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? json.rawJSON(source)
      : value,
  );
}

/** Whether a string anywhere in the value, a property's name included, holds half of a surrogate pair. */
export function hasLoneSurrogate(value: unknown, source: string): boolean {
  // The source is valid UTF-8, so half a pair can only have come in as an escape.
  return SURROGATE.test(source) && !isWellFormed(value);
}

function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, child]) => key.isWellFormed() && isWellFormed(child));
}
