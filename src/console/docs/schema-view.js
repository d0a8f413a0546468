import { element } from '../element.js';
import { record, text } from '../json-value.js';
import { inline } from './prose.js';

/** @typedef {import('./api-document.js').ApiDocument} ApiDocument */
/** @typedef {import('./api-document.js').Schema} Schema */

/**
 * Lists the fields of an object with their types, and the fields of nested objects below them.
 *
 * @param {ApiDocument} api
 * @param {unknown} value
 * @returns {HTMLElement | undefined} Undefined for a schema without fields.
 */
export function fieldsView(api, value) {
  const schema = api.resolve(value);
  const required = namesIn(schema['required']);
  const fields = Object.entries(record(schema['properties']));
  if (fields.length === 0) return alternativesView(api, schema);
  const list = element(
    'dl',
    'fields',
    ...fields.flatMap(([name, field]) =>
      fieldView(api, name, required.includes(name), api.resolve(field), fieldsOf(api, field)),
    ),
  );
  const choice = choiceOf(schema);
  return choice === '' ? list : element('div', '', element('p', 'choice', ...inline(choice)), list);
}

/**
 * Lists the fields of each alternative of a schema. A list with the same fields as an object before it is not listed again.
 *
 * @param {ApiDocument} api
 * @param {Schema} schema
 * @returns {HTMLElement | undefined}
 */
function alternativesView(api, { anyOf, oneOf }) {
  /** @type {Map<string, HTMLElement>} */
  const views = new Map();
  for (const alternative of Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : []) {
    const view = fieldsOf(api, alternative);
    if (view !== undefined && !views.has(view.textContent)) views.set(view.textContent, view);
  }
  const [first, ...others] = views.values();
  if (first === undefined || others.length === 0) return first;
  return element('div', '', first, ...others.flatMap((view) => [element('p', 'choice', 'Or:'), view]));
}

/**
 * Says which of several fields are needed, when `required` alone does not say it.
 *
 * @param {Schema} schema
 */
function choiceOf({ anyOf, oneOf, minProperties }) {
  const alternatives = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : [];
  const sets = alternatives
    .map((one) => namesIn(record(one)['required']).map(code).join(' and '))
    .filter(Boolean);
  if (sets.length > 0) {
    const much = Array.isArray(anyOf) ? 'At least one of these is needed' : 'Exactly one of these is needed';
    return `${much}: ${sets.join(', or ')}${alternatives.some(wantsItems) ? ', and not empty' : ''}.`;
  }
  return typeof minProperties === 'number' && minProperties > 0
    ? `At least ${minProperties} of these fields ${minProperties === 1 ? 'is' : 'are'} needed.`
    : '';
}

/** @param {unknown} alternative */
function wantsItems(alternative) {
  return Object.values(record(record(alternative)['properties'])).some(
    (field) => Number(record(field)['minItems']) > 0,
  );
}

/**
 * @param {unknown} value
 * @returns {string[]}
 */
function namesIn(value) {
  return Array.isArray(value) ? value.map(String) : [];
}

/**
 * @param {ApiDocument} api
 * @param {string} name
 * @param {boolean} required
 * @param {Schema} schema
 * @param {HTMLElement} [inner]
 */
function fieldView(api, name, required, schema, inner) {
  const note = required ? element('span', 'required', 'required') : '';
  return [
    element(
      'dt',
      '',
      element('code', '', name),
      ' ',
      element('span', 'kind', ...inline(kindOf(api, schema))),
      ' ',
      note,
    ),
    element('dd', '', ...inline(text(schema['description'])), ...(inner ? [inner] : [])),
  ];
}

/**
 * @param {ApiDocument} api
 * @param {unknown} field
 */
function fieldsOf(api, field) {
  const schema = api.resolve(field);
  return fieldsView(api, schema['type'] === 'array' ? schema['items'] : schema);
}

/**
 * Describes the values of a schema.
 *
 * @param {ApiDocument} api
 * @param {unknown} value
 * @returns {string}
 */
export function kindOf(api, value) {
  const schema = api.resolve(value);
  const { const: only, enum: values, type } = schema;
  if (only !== undefined) return code(only);
  if (Array.isArray(values)) return values.map(code).join(', ');
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  // Beside a type, the alternatives only say which fields are needed.
  if (Array.isArray(alternatives) && type === undefined) {
    const kinds = alternatives.map((one) => kindOf(api, one));
    return [...new Set(kinds)].join(' or ');
  }
  if (type === 'array') return `list${count(schema)}; each ${kindOf(api, schema['items'])}`;
  const each = schema['additionalProperties'];
  if (type === 'object' && typeof each === 'object') return `object; each value ${kindOf(api, each)}`;
  const types = Array.isArray(type) ? type.join(' or ') : text(type) || 'any JSON';
  const kind = schema['format'] === 'date-time' ? `${types}, RFC 3339 time` : types;
  const fallback = schema['default'] === undefined ? '' : `, by default ${code(schema['default'])}`;
  return `${kind}${limits(schema)}${fallback}`;
}

/** @param {Schema} schema */
function count({ minItems, maxItems }) {
  const least = typeof minItems === 'number' && minItems > 0 ? `, at least ${minItems}` : '';
  return `${least}${typeof maxItems === 'number' ? `, up to ${maxItems}` : ''}`;
}

/** @param {Schema} schema */
function limits({ minimum, maximum, minLength, maxLength }) {
  if (typeof minLength === 'number' && typeof maxLength === 'number')
    return `, ${minLength} to ${maxLength} characters`;
  const bounded =
    typeof minimum === 'number' && typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER;
  return bounded ? `, ${minimum} to ${maximum}` : '';
}

/** @param {unknown} value */
function code(value) {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
