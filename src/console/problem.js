import { element } from './element.js';
import { record, text } from './json-value.js';

/**
 * A problem document (RFC 9457) of the broker, or another answer of a proxy.
 *
 * @typedef {object} Problem
 * @property {string} title
 * @property {string} detail
 * @property {string} type
 * @property {string} channel whose stream is refused; empty for all
 * @property {string} tail of the channel, where a condition did not hold
 * @property {string[]} errors
 */

/**
 * Shows a refusal.
 *
 * @param {number} status
 * @param {Problem} problem
 */
export function viewOf(status, { title, detail, type, errors }) {
  const view = element('div', 'problem', element('strong', '', `${status} ${title}`));
  if (detail !== '') view.append(element('p', '', detail));
  if (errors.length > 0) view.append(element('ul', '', ...errors.map((error) => element('li', '', error))));
  if (type !== '') view.append(element('code', 'problem-type', type));
  return view;
}

/**
 * Shows a fault without an answer of the broker.
 *
 * @param {string} title
 * @param {string} detail
 */
export function faultView(title, detail) {
  return element('div', 'problem', element('strong', '', title), element('p', '', detail));
}

/**
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
export async function readProblem(response) {
  /** @type {unknown} */
  const body = await response.json().catch(() => undefined);
  const problem = record(body);
  const errors = Array.isArray(problem['errors']) ? problem['errors'].map(record) : [];
  return {
    title: text(problem['title']) || response.statusText,
    detail: text(problem['detail']),
    type: text(problem['type']),
    channel: text(problem['channel']),
    tail: text(problem['tail']),
    // A single fault is already in the detail.
    errors:
      errors.length < 2 ? [] : errors.map((error) => `${text(error['pointer'])} ${text(error['detail'])}`),
  };
}
