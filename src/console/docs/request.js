import { brokerUrl } from '../broker-url.js';

/** @typedef {import('./api-document.js').Operation} Operation */
/** @typedef {import('./api-document.js').Parameter} Parameter */

/** The environment variables that samples read a credential from. Samples never contain the credential itself. */
/** @typedef {'SLUICE_KEY' | 'TOKEN'} CredentialVariable */

/**
 * A request as the form of an operation describes it, without its credential.
 *
 * @typedef {object} ApiRequest
 * @property {string} method
 * @property {URL} url
 * @property {Record<string, string>} headers
 * @property {string | undefined} body
 * @property {Record<string, string>} values What the fields hold, by place and name: `query last`. Empty fields are left out.
 *   A parameter without a value that is sent is an empty text.
 * @property {boolean} streams Whether the answer may be a stream of events.
 * @property {CredentialVariable | undefined} credential
 */

/**
 * Makes the request of an operation.
 *
 * @param {Operation} operation
 * @param {{ fields: Iterable<[Parameter, string | undefined]>, body: string, hasCredential: boolean }} form
 * @returns {ApiRequest}
 */
export function requestOf(operation, { fields, body, hasCredential }) {
  const { method, body: content } = operation;
  let path = operation.path.slice(1);
  const query = new URLSearchParams();
  /** @type {Record<string, string>} */
  const headers = {};
  /** @type {Record<string, string>} */
  const values = {};
  for (const [{ name, place, schema }, value] of fields) {
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value ?? ''));
    if (value === undefined) continue;
    values[`${place} ${name}`] = value;
    if (place === 'header') headers[name] = value;
    if (place === 'query')
      for (const item of schema['type'] === 'array' ? itemsOf(value) : [value]) query.append(name, item);
  }
  if (content && content.mediaType !== '*/*') headers['Content-Type'] = content.mediaType;
  const url = brokerUrl(path);
  // A parameter without a value has no equals sign.
  url.search = query.toString().replaceAll(/=(?=&|$)/g, '');
  return {
    method,
    url,
    headers,
    body: content && body,
    values,
    streams: operation.answers.some(({ mediaType }) => mediaType === 'text/event-stream'),
    credential: variableOf(operation, hasCredential),
  };
}

/**
 * The items of a field that holds a list. Blanks separate them.
 *
 * @param {string} value
 */
export function itemsOf(value) {
  return value.split(/\s+/).filter(Boolean);
}

/**
 * Which variable a sample reads the credential from. A subscriber of a public channel needs none.
 *
 * @param {Operation} operation
 * @param {boolean} hasCredential whether the visitor has given the page a credential
 * @returns {CredentialVariable | undefined}
 */
function variableOf({ credentials }, hasCredential) {
  if (credentials.includes('publishKey')) return 'SLUICE_KEY';
  return credentials.length > 0 && (hasCredential || !credentials.includes('none')) ? 'TOKEN' : undefined;
}
