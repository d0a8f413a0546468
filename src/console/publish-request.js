import { brokerUrl } from './broker-url.js';
import { scriptString, shellWord } from './quote.js';

/**
 * @typedef {object} Publication what the form says; an empty text stands for nothing
 * @property {string} channel
 * @property {string} type
 * @property {string} data
 * @property {string} stateKey
 * @property {string} ifLast
 * @property {string} idempotencyKey
 * @property {boolean} deletes whether the channel forgets the key
 * @property {boolean} closes whether the event is the last of its channel
 */

/** A shell takes no argument much longer than this, in characters. */
const MAX_ARGUMENT = 100_000;

/**
 * The body of `POST /publish`.
 *
 * @param {Publication} publication
 */
export function bodyOf({ channel, type, data, stateKey, ifLast, deletes, closes }) {
  // A channel may end without an event.
  const isEvent = !deletes && !(closes && data === '' && type === '' && stateKey === '');
  return {
    channel,
    ...(type !== '' && !deletes && { event: type }),
    ...(stateKey !== '' && { key: stateKey }),
    ...(deletes && { delete: true }),
    ...(isEvent && { data }),
    ...(closes && { close: true }),
    ...(ifLast !== '' && { ifLast }),
  };
}

/**
 * The same request for a shell. The publish key is a variable of the shell. Undefined when the data is too long for a command.
 *
 * @param {Publication} publication
 */
export function curlOf(publication) {
  const body = literalOf(bodyOf(publication));
  if (body.length > MAX_ARGUMENT) return undefined;
  const { idempotencyKey } = publication;
  return [
    `curl ${shellWord(brokerUrl('publish').href)}`,
    `-H "Authorization: Bearer $SLUICE_KEY"`,
    `-H 'Content-Type: application/json'`,
    ...(idempotencyKey === '' ? [] : [`-H ${shellWord(`Idempotency-Key: ${idempotencyKey}`)}`]),
    `-d ${shellWord(body)}`,
  ].join(' \\\n  ');
}

/**
 * JSON in which invisible characters are escaped, so that the command looks like what it does.
 *
 * @param {Readonly<Record<string, string | boolean>>} fields
 */
function literalOf(fields) {
  const pairs = Object.entries(fields).map(
    ([name, value]) => `"${name}":${typeof value === 'string' ? scriptString(value) : value}`,
  );
  return `{${pairs.join(',')}}`;
}
