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
 * Shows the alternatives of a schema one below the other. Only objects have fields. Of other values, the kind and the
 * description are shown.
 *
 * @param {ApiDocument} api
 * @param {Schema} schema
 * @returns {HTMLElement | undefined} Undefined for a schema whose alternatives have no fields.
 */
function alternativesView(api, schema) {
  const alternatives = alternativesOf(schema);
  if (!alternatives.some((one) => Object.keys(record(api.resolve(one)['properties'])).length > 0))
    return undefined;
  const views = alternatives.map((one, index) => {
    const description = text(api.resolve(one)['description']);
    const kind = `${index === 0 ? 'Either' : 'Or'}: ${kindOf(api, one)}. ${description}`;
    return element('div', '', element('p', 'choice', ...inline(kind)), fieldsView(api, one) ?? '');
  });
  return element('div', 'alternatives', ...views);
}

/**
 * @param {Schema} schema
 * @returns {unknown[]}
 */
function alternativesOf({ anyOf, oneOf }) {
  return Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : [];
}

/**
 * Says which of several fields are needed, when `required` alone does not say it.
 *
 * @param {Schema} schema
 */
function choiceOf({ anyOf, oneOf, minProperties }) {
  const choices = [
    choiceAmong('Exactly one of these is needed', oneOf),
    choiceAmong('At least one of these is needed', anyOf),
  ].filter(Boolean);
  if (choices.length > 0) return choices.join(' ');
  return typeof minProperties === 'number' && minProperties > 0
    ? `At least ${minProperties} of these fields ${minProperties === 1 ? 'is' : 'are'} needed.`
    : '';
}

/**
 * @param {string} much
 * @param {unknown} alternatives
 */
function choiceAmong(much, alternatives) {
  if (!Array.isArray(alternatives)) return '';
  const sets = alternatives
    .map((one) => namesIn(record(one)['required']).map(code).join(' and '))
    .filter(Boolean);
  if (sets.length === 0) return '';
  return `${much}: ${sets.join(', or ')}${alternatives.some(wantsItems) ? ', and not empty' : ''}.`;
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
  if (only === '') return 'no value';
  if (only !== undefined) return code(only);
  if (Array.isArray(values)) return values.map(code).join(', ');
  const alternatives = alternativesOf(schema);
  // Beside a type, the alternatives only say which fields are needed.
  if (alternatives.length > 0 && type === undefined) {
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
