/**
 * Returns why a text is not a valid channel name (docs/protocol.md §1), or undefined when it is valid.
 *
 * @param {string} text
 * @returns {string | undefined}
 */
export function channelNameFault(text) {
  if (text === '') return 'it is empty';
  if (isDotSegment(text)) return 'browsers remove it from URLs';
  if (/[^A-Za-z0-9._:~-]/.test(text)) return 'it may only have A-Z a-z 0-9 . _ : ~ -';
  return text.length > 200 ? `it has ${text.length} characters, and the limit is 200` : undefined;
}

/**
 * Whether the browser would remove the name from a path (RFC 3986 §5.2.4). No request with this name reaches the broker.
 *
 * @param {string} text
 */
export function isDotSegment(text) {
  return text === '.' || text === '..';
}
