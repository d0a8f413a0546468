/**
 * A word of a POSIX shell. Between single quotes nothing is special but the single quote.
 *
 * @param {string} text
 */
export function shellWord(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * A string literal of JavaScript, also inside of a page's script element. What cannot be seen, or turns the direction of
 * what is read, is written as an escape: the code has to look like what it does.
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
