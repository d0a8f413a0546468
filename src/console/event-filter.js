/** @typedef {import('./event-store.js').Row} Row */

/**
 * Reads a filter such as `type:created channel:orders total`. The words with a prefix have to be in the type or in the
 * channel, and the rest has to be, as it is, in the type, the channel or the data. Upper and lower case are the same.
 *
 * @param {string} text
 */
export function filterOf(text) {
  /** @type {RegExp[]} */
  const types = [];
  /** @type {RegExp[]} */
  const channels = [];
  const rest = text
    .replaceAll(
      /(?<!\S)(type|channel):(\S*)/gi,
      (_all, /** @type {string} */ prefix, /** @type {string} */ word) => {
        if (word !== '') (prefix.toLowerCase() === 'type' ? types : channels).push(containing(word));
        return '';
      },
    )
    .trim();
  const anywhere = rest === '' ? undefined : containing(rest);
  return {
    isEmpty: types.length + channels.length === 0 && anywhere === undefined,
    /** @param {Row} row */
    matches: ({ type, channel, data }) =>
      types.every((word) => word.test(type)) &&
      channels.every((word) => word.test(channel)) &&
      (anywhere === undefined || anywhere.test(type) || anywhere.test(channel) || anywhere.test(data)),
  };
}

/** @param {string} text */
function containing(text) {
  return new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`), 'i');
}
