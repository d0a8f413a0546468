/** Splits a text at its commas, trims the items, and leaves out empty ones. */
export function commaList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
