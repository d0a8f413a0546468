/**
 * Whether a text can be a token or a publish key: visible ASCII characters, and no blanks.
 *
 * @param {string} text
 */
export function isCredential(text) {
  return !/[^\x21-\x7e]/.test(text);
}

/**
 * Why a text cannot be the value of a header, in words: browsers only say that `fetch` has failed. Undefined when it can.
 *
 * @param {string} name what the page calls the text
 * @param {string} value
 */
export function headerFault(name, value) {
  const wrong = /[^\t\x20-\x7e]/u.exec(value)?.[0];
  if (wrong === undefined) return undefined;
  // An invisible character shows as its number.
  const shown = /[\p{C}\p{Z}\p{M}]/u.test(wrong)
    ? `U+${(wrong.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
    : `“${wrong}”`;
  return `The ${name} has the character ${shown}, which no header can have. Copy it again.`;
}
