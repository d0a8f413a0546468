import { record, text } from './json-value.js';

/**
 * What the broker says before it ends a stream, and in place of one that it does not open now (docs/protocol.md §5).
 *
 * @typedef {object} Closing
 * @property {string} reason
 * @property {number | undefined} retry in ms
 */

/** In words that go on after "because". */
const REASONS = /** @type {Record<string, string>} */ ({
  draining: 'it is shutting down',
  age: 'the connection is as old as connections may be',
  expired: 'the token has expired',
  disconnected: 'a backend has ended the stream',
  limit: 'it has as many connections as it takes',
  'address-limit': 'this address has as many connections as it may have',
  'subject-limit': "the token's subject has as many connections as it may have",
  'failed-authentication': 'too many wrong credentials came from this address',
  keys: "the token's key cannot be fetched now",
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
  if (words !== undefined) return `The broker asks to come back: ${words} (${reason}).`;
  return reason === '' ? 'The broker asks to come back.' : `The broker asks to come back: ${reason}.`;
}

/** @param {string} data */
function parsed(data) {
  try {
    return record(JSON.parse(data));
  } catch {
    return {};
  }
}
