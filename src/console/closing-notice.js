/** Why the broker ends a stream (docs/protocol.md §5). Each completes "The broker asks the client to come back: …". */
const REASONS = /** @type {Record<string, string>} */ ({
  draining: 'it is shutting down',
  age: 'the connection has reached its maximum age',
  expired: 'the token has expired',
  disconnected: 'a backend has ended the stream',
  limit: 'it has reached its limit of connections',
  'address-limit': 'this address has reached its limit of connections',
  'subject-limit': "the token's subject has reached its limit of connections",
  'failed-authentication': 'this address has sent too many wrong credentials',
  keys: "it cannot fetch the token's key now",
});

/** @param {unknown} reason as the broker sent it */
export function closingText(reason) {
  if (typeof reason !== 'string' || reason === '') return 'The broker asks the client to come back.';
  const words = Object.hasOwn(REASONS, reason) ? `${REASONS[reason]} (${reason})` : reason;
  return `The broker asks the client to come back: ${words}.`;
}
