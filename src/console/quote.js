/**
 * Quotes a word for a POSIX shell. Between single quotes only the single quote is special.
 *
 * @param {string} text
 */
export function shellWord(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Makes a JavaScript string literal that is also safe inside a script element. Escapes invisible characters and those that
 * change the text direction, so that the code looks like what it does.
 *
 * @param {string} text
 */
export function scriptString(text) {
  return JSON.stringify(text).replaceAll(/[<\p{C}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, at) => unitEscape(character.charCodeAt(at))).join(''),
  );
}

/** @param {number} unit */
function unitEscape(unit) {
  return String.raw`\u` + unit.toString(16).padStart(4, '0');
}
