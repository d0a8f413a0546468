/** Deeper levels stay in one line: their indentation alone would fill the page, and hold it for long. */
const MAX_INDENTED_LEVELS = 40;

/**
 * Lays JSON text out over lines. Every token stays as it was sent, such as numbers with more digits than JavaScript has. The
 * text may be cut anywhere.
 *
 * @param {string} json
 */
export function layOutJson(json) {
  let level = 0;
  let laidOut = '';
  const line = () => (level > MAX_INDENTED_LEVELS ? '' : `\n${'  '.repeat(level)}`);
  const tokens = json.match(/"(?:[^"\\]|\\.)*"?|[[{]\s*[\]}]|[[\]{}:,]|[^\s"[\]{}:,]+/gs) ?? [];
  for (const token of tokens) {
    if (token === '{' || token === '[') {
      level++;
      laidOut += token + line();
    } else if (token === '}' || token === ']') {
      level--;
      laidOut += line() + token;
    } else if (token === ',') laidOut += token + line();
    else if (token === ':') laidOut += ': ';
    else laidOut += /^[[{]/.test(token) ? token.replaceAll(/\s/g, '') : token;
  }
  return laidOut;
}

/**
 * Whether the text is a JSON object or list.
 *
 * @param {string} text
 */
export function isJsonStructure(text) {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
