/** Whether quotes stand around a text. They come from an env file that is not read as a shell would read it. */
export function isQuoted(text: string): boolean {
  return text.length > 1 && (text[0] === '"' || text[0] === "'") && text.at(-1) === text[0];
}
