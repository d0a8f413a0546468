import { element } from './element.js';
import { record, text } from './json-value.js';

/**
 * Shows a refusal: a problem document (RFC 9457) of the broker, or another answer of a proxy.
 *
 * @param {Response} response
 * @returns {Promise<HTMLElement>}
 */
export async function problemView(response) {
  const { title, detail, type, errors } = await readProblem(response);
  const view = element('div', 'problem', element('strong', '', `${response.status} ${title}`));
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

/** @param {Response} response */
async function readProblem(response) {
  /** @type {unknown} */
  const body = await response.json().catch(() => undefined);
  const problem = record(body);
  const errors = Array.isArray(problem['errors']) ? problem['errors'].map(record) : [];
  const detail = text(problem['detail']);
  return {
    title: text(problem['title']) || response.statusText,
    detail,
    type: text(problem['type']),
    // A single fault is already in the detail.
    errors:
      errors.length < 2 ? [] : errors.map((error) => `${text(error['pointer'])} ${text(error['detail'])}`),
  };
}
