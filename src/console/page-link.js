/**
 * The parts of a link to the console: `#<channel>`, then the same query as for `/events/<channel>`.
 *
 * @typedef {object} PageLink
 * @property {string} channel
 * @property {string} start such as `last=10`, without the token
 * @property {string} token empty when the link has none
 */

/**
 * @param {string} fragment with its `#`
 * @returns {PageLink | undefined} Undefined for a link with neither a channel nor a token.
 */
export function readLink(fragment) {
  const [, name = '', query = ''] = /^#?([^?]*)\??(.*)$/s.exec(fragment) ?? [];
  const parameters = query.split('&').filter(Boolean);
  const token = new URLSearchParams(parameters.filter(isToken).join('&')).values().next().value ?? '';
  if (name === '' && token === '') return undefined;
  const start = parameters.filter((parameter) => !isToken(parameter)).join('&');
  return { channel: decoded(name), start, token: token.trim() };
}

/**
 * Makes a link to the page in its current state. A link never has the token: it would stay in the history and in bookmarks.
 *
 * @param {string} channel
 * @param {string} start
 */
export function fragmentOf(channel, start) {
  return `#${encodeURIComponent(channel)}${start === '' ? '' : `?${start}`}`;
}

/** @param {string} parameter */
function isToken(parameter) {
  return new URLSearchParams(parameter).has('token');
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
