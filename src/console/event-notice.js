import { record } from './json-value.js';

/**
 * @typedef {import('./event-store.js').NewRow} NewRow
 * @typedef {import('../../client/src/index.ts').SluiceEvent} SluiceEvent
 */

/**
 * @param {NewRow['kind']} kind
 * @param {string} channel
 * @param {string} text
 * @param {string} [id]
 * @returns {NewRow}
 */
export function notice(kind, channel, text, id = '') {
  return { kind, channel, type: kind, id, data: text, time: Date.now() };
}

/**
 * @param {import('../../client/src/index.ts').Gap} gap
 * @returns {NewRow}
 */
export function gapNotice({ channel, after, before }) {
  const where = after === null ? '' : ` after ${after}`;
  const until = before === null ? '' : `; the next event is ${before}`;
  const advice = 'An application has to load its state again.';
  return notice('gap', channel, `Events may be missing${where}${until}. ${advice}`, after ?? '');
}

/**
 * @param {string} channel
 * @param {string} position
 * @returns {NewRow}
 */
export function readyNotice(channel, position) {
  const where = position === '0-0' ? '' : ` with ${position}`;
  const what = 'From here on, events arrive as they are published.';
  return notice('ready', channel, `Caught up${where}. ${what}`, position);
}

/**
 * The row of an event. What the broker itself has put into the channel becomes a notice.
 *
 * @param {SluiceEvent} event
 * @returns {NewRow}
 */
export function rowOf({ channel, id, event, data }) {
  const time = timeOf(id);
  if (event === 'sluice:cleared')
    return { ...notice('note', channel, 'All earlier events of the channel were deleted.', id), time };
  if (event === 'sluice:deleted') {
    const text = `The key ${String(fieldsOf(data)['key'])} was deleted.`;
    return { ...notice('note', channel, text, id), time };
  }
  return { kind: 'event', channel, type: event, id, data, time };
}

/**
 * @param {string} data
 * @returns {Readonly<Record<string, unknown>>} empty when the data is no JSON object
 */
function fieldsOf(data) {
  try {
    return record(JSON.parse(data));
  } catch {
    return {};
  }
}

/**
 * An id begins with the time at which the log took the event, in ms.
 *
 * @param {string} id
 */
function timeOf(id) {
  const ms = Number(id.split('-', 1)[0]);
  return ms >= 0 && ms <= 8.64e15 ? ms : Date.now();
}
