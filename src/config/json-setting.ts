/** How many characters of a wrong value a message shows. */
const MAX_SHOWN = 60;

/**
 * Parses a setting that is written as JSON. Returns where the JSON breaks, if the parser says it. The parser's own message
 * repeats the text, which may be a secret.
 */
export function parseJsonSetting(text: string): { readonly value: unknown; readonly breaksAt: string } {
  try {
    return { value: JSON.parse(text), breaksAt: '' };
  } catch (error) {
    const [, position] = /at position (\d+)/.exec((error as Error).message) ?? [];
    return {
      value: undefined,
      breaksAt: position === undefined ? '' : ` (it breaks at position ${position})`,
    };
  }
}

/** A wrong value inside the JSON, as a message shows it. */
export function shownJson(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN).toWellFormed()}…` : text;
}
