/** Whether a text begins and ends with the same quote. Some readers of env files keep the quotes that a shell removes. */
export function isQuoted(text: string): boolean {
  return text.length > 1 && (text[0] === '"' || text[0] === "'") && text.at(-1) === text[0];
}
