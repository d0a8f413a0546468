/**
 * The parts of a link to the console: `#<channel>,<channel>`, then what a query of `/events` may have, such as `?last=10`.
 *
 * @typedef {object} PageLink
 * @property {string[]} channels
 * @property {string} start such as `last=10`
 * @property {string} token empty when the link has none
 */

/** What a link may ask for. Everything else is dropped: an unknown parameter may be a secret. */
const STARTS = ['last', 'since', 'last_event_id', 'state'];
/** More channels are no link that a person made. */
const MAX_CHANNELS = 1_000;

/**
 * @param {string} fragment with its `#`
 * @returns {PageLink | undefined} Undefined for a link with neither a channel nor a token.
 */
export function readLink(fragment) {
  // A name has no `&` and no `=`. What has one is a parameter, whatever its writer meant, as in `#access_token=…`.
  const [, names = '', query = ''] = /^#?((?![^?&]*=)[^?&]*)[?&]?(.*)$/s.exec(fragment) ?? [];
  const parameters = new URLSearchParams(query);
  const token = (parameters.get('token') ?? '').trim();
  const channels = channelsOf(decoded(names));
  if (channels.length === 0 && token === '') return undefined;
  const start = STARTS.find((name) => parameters.has(name));
  return { channels, token, start: start === undefined ? '' : `${start}=${parameters.get(start) ?? ''}` };
}

/**
 * Makes a link to the page in its current state. A link never has the token: it would stay in the history and in bookmarks.
 *
 * @param {readonly string[]} channels
 * @param {string} start
 */
export function fragmentOf(channels, start) {
  const [name, value = ''] = splitAt(start, '=');
  const query = name === '' ? '' : `?${name}${value === '' ? '' : `=${encodeURIComponent(value)}`}`;
  return `#${channels.map(encodeURIComponent).join(',')}${query}`;
}

/**
 * Reads the channels of the field: separated by commas or blanks, each once.
 *
 * @param {string} text
 */
export function channelsOf(text) {
  return [...new Set(text.split(/[\s,]+/))].filter((name) => name !== '').slice(0, MAX_CHANNELS);
}

/**
 * Where a channel begins, for the client.
 *
 * @param {string} start such as `last=10`
 * @param {string} channel
 * @returns {import('../../client/src/types.ts').Start}
 */
export function startOf(start, channel) {
  const [name, value = ''] = splitAt(start, '=');
  switch (name) {
    case 'last':
      return { last: Number(value) };
    case 'since':
      return { since: value };
    case 'state':
      return { state: true };
    case 'last_event_id': {
      if (!value.includes('@')) return value === '' ? {} : { after: value };
      // The cursor of a stream of several channels: `a@1-0,b@2-0`.
      const places = value.split(',').map((place) => splitAt(place, '@'));
      const id = places.find((place) => place[0] === channel)?.[1];
      return id === undefined ? {} : { after: id };
    }
    default:
      return {};
  }
}

/**
 * @param {string} text
 * @param {string} separator
 * @returns {[string, string?]} what is before the first separator, and what is behind it
 */
function splitAt(text, separator) {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
