import { element } from '../element.js';
import { record } from '../json-value.js';
import { inline, prose } from './prose.js';
import { fieldsView, kindOf } from './schema-view.js';
import { TryForm } from './try-form.js';

/** @typedef {import('./api-document.js').ApiDocument} ApiDocument */
/** @typedef {import('./api-document.js').Answer} Answer */
/** @typedef {import('./api-document.js').Operation} Operation */
/** @typedef {import('./try-form.js').Visitor} Visitor */

const CREDENTIALS = /** @type {Record<string, string>} */ ({
  none: 'nothing, for a public channel',
  publishKey: 'a publish key',
  token: 'a token',
  adminToken: 'a token with `"admin": true`',
  tokenQuery: 'a token as `?token=`',
});

/**
 * Shows one operation, closed. Its contents are made when it is first opened.
 *
 * @param {ApiDocument} api
 * @param {Operation} operation
 * @param {Visitor} visitor
 * @returns {HTMLDetailsElement}
 */
export function operationView(api, operation, visitor) {
  const { id, method, path, summary } = operation;
  const view = element(
    'details',
    'card operation',
    element(
      'summary',
      '',
      element('span', `method ${method.toLowerCase()}`, method),
      element('code', 'path', ...breakable(path)),
      element('span', 'what', ...inline(summary)),
    ),
  );
  view.id = anchorOf(id);
  view.addEventListener('toggle', () => {
    if (!view.open) return;
    // The address of the page is then a link to this operation.
    history.replaceState(null, '', `#${id}`);
    if (view.childElementCount === 1) view.append(...contents(api, operation, visitor));
  });
  return view;
}

/**
 * The element id of an operation. The prefix avoids a clash with other ids of the page.
 *
 * @param {string} id
 */
export function anchorOf(id) {
  return `api-${id}`;
}

/**
 * @param {ApiDocument} api
 * @param {string} credential
 */
function credentialName(api, credential) {
  if (credential === 'tokenCookie') return `a token in the cookie \`${api.tokenCookie}\``;
  return CREDENTIALS[credential] ?? credential;
}

/**
 * @param {ApiDocument} api
 * @param {Operation} operation
 * @param {Visitor} visitor
 */
function contents(api, operation, visitor) {
  const { description, credentials, body, answers } = operation;
  const needs = credentials.map((one) => credentialName(api, one)).join(', or ');
  const parts = [...prose(description)];
  if (needs !== '') parts.push(element('p', 'needs', 'Needs ', ...inline(needs), '.'));
  parts.push(new TryForm(api, operation, visitor).view);
  const fields = body && fieldsView(api, body.schema);
  if (fields) parts.push(element('h3', '', 'Body'), fields);
  parts.push(
    element('h3', '', 'Answers'),
    element('div', 'answers', ...answers.map((answer) => answerView(api, answer))),
  );
  return [element('div', 'inside', ...parts)];
}

/**
 * @param {ApiDocument} api
 * @param {Answer} answer
 */
function answerView(api, { status, description, headers, mediaType, schema }) {
  const view = element(
    'div',
    `answer ${status < '400' ? 'good' : 'bad'}`,
    element('p', 'status', element('strong', '', status), ' ', element('span', 'kind', mediaType)),
    ...prose(description),
  );
  if (headers.length > 0)
    view.append(
      element('p', 'note', 'May have ', ...inline(headers.map((name) => `\`${name}\``).join(', ')), '.'),
    );
  // All problem documents have the same fields, and the description lists the codes.
  const fields = mediaType === 'application/problem+json' ? undefined : fieldsView(api, schema);
  if (fields) view.append(fields);
  for (const [type, data] of Object.entries(record(schema['x-events']))) {
    const inner = fieldsView(api, data);
    // Data that is not an object has no fields, so its kind is shown.
    const kind = inner ? '' : ` (${kindOf(api, data)})`;
    view.append(
      element(
        'p',
        'event',
        element('code', '', type),
        ' ',
        ...inline(`${String(api.resolve(data)['description'])}${kind}`),
      ),
    );
    if (inner) view.append(inner);
  }
  return view;
}

/**
 * Allows line breaks before the slashes of a path.
 *
 * @param {string} path
 */
function breakable(path) {
  return path.split(/(?=\/)/).flatMap((part) => [element('wbr', ''), part]);
}
