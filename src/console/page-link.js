/**
 * What a link to the console says: `#<channel>`, and what would follow `/events/<channel>`.
 *
 * @typedef {object} PageLink
 * @property {string} channel
 * @property {string} start such as `last=10`, without the token
 * @property {string} token empty where there is none
 */

/**
 * @param {string} fragment with its `#`
 * @returns {PageLink | undefined} Nothing for a link that names no channel and brings no token.
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
 * A link to the page as it is. A token is in none: it would stay in the history, in bookmarks, and in what is passed on.
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
