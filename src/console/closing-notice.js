import { record, text } from './json-value.js';

/**
 * The data of `sluice:closing`. The broker sends it before it ends a stream, or instead of a stream that it cannot open now
 * (docs/protocol.md §5).
 *
 * @typedef {object} Closing
 * @property {string} reason
 * @property {number | undefined} retry in ms
 */

/** Each completes "The broker asks the client to come back: …". */
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

/**
 * @param {string} data
 * @returns {Closing}
 */
export function closingOf(data) {
  const { reason, retry } = parsed(data);
  return { reason: text(reason), retry: typeof retry === 'number' && retry >= 0 ? retry : undefined };
}

/** @param {string} reason */
export function closingText(reason) {
  const words = Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined;
  if (words !== undefined) return `The broker asks the client to come back: ${words} (${reason}).`;
  return reason === ''
    ? 'The broker asks the client to come back.'
    : `The broker asks the client to come back: ${reason}.`;
}

/** @param {string} data */
function parsed(data) {
  try {
    return record(JSON.parse(data));
  } catch {
    return {};
  }
}
