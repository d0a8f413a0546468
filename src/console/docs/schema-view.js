import { element } from '../element.js';
import { record, text } from '../json-value.js';
import { inline } from './prose.js';

/** @typedef {import('./api-document.js').ApiDocument} ApiDocument */
/** @typedef {import('./api-document.js').Schema} Schema */

/**
 * The fields of an object, each with what it takes; those of the objects in it below them.
 *
 * @param {ApiDocument} api
 * @param {unknown} value
 * @returns {HTMLElement | undefined} Nothing for what has no fields.
 */
export function fieldsView(api, value) {
  const schema = api.resolve(value);
  const required = schema['required'];
  const fields = Object.entries(record(schema['properties']));
  if (fields.length === 0) return undefined;
  return element(
    'dl',
    'fields',
    ...fields.flatMap(([name, field]) => {
      const needed = Array.isArray(required) && required.includes(name);
      return fieldView(name, needed, api.resolve(field), fieldsOf(api, field));
    }),
  );
}

/**
 * @param {string} name
 * @param {boolean} required
 * @param {Schema} schema
 * @param {HTMLElement} [inner]
 */
function fieldView(name, required, schema, inner) {
  const note = required ? element('span', 'required', 'required') : '';
  return [
    element(
      'dt',
      '',
      element('code', '', name),
      ' ',
      element('span', 'kind', ...inline(kindOf(schema))),
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
 * What a schema takes, in words.
 *
 * @param {Schema} schema
 * @returns {string}
 */
export function kindOf(schema) {
  const { const: only, enum: values, anyOf, type, maxItems } = schema;
  if (only !== undefined) return code(only);
  if (Array.isArray(values)) return values.map(code).join(', ');
  if (Array.isArray(anyOf)) {
    const kinds = anyOf.map((one) => kindOf(record(one)));
    return kinds.filter((kind, at) => kinds.indexOf(kind) === at).join(' or ');
  }
  if (type === 'array') {
    const most = typeof maxItems === 'number' ? `, up to ${maxItems}` : '';
    return `list${most}; each ${kindOf(record(schema['items']))}`;
  }
  const kind = typeof type === 'string' ? type : 'any JSON';
  const fallback = schema['default'] === undefined ? '' : `, by default ${code(schema['default'])}`;
  return `${kind}${limits(schema)}${fallback}`;
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
