/**
 * Why a text cannot be the name of a channel (docs/protocol.md §1); undefined when it can.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function channelNameFault(text) {
  if (text === '') return 'it is empty';
  if (isDotSegment(text)) return 'a URL cannot carry it';
  if (/[^A-Za-z0-9._:~-]/.test(text)) return 'it may only have A-Z a-z 0-9 . _ : ~ -';
  return text.length > 200 ? `it has ${text.length} characters, and 200 are allowed` : undefined;
}

/**
 * Whether a path with this name in it is another path (RFC 3986 §5.2.4), so that the broker cannot even be asked.
 *
 * @param {string} text
 */
export function isDotSegment(text) {
  return text === '.' || text === '..';
}
