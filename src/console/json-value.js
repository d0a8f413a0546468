/**
 * Returns a copy of a JSON object, or an empty object for any other value.
 *
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function record(value) {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/**
 * Returns a JSON string, or an empty string for any other value.
 *
 * @param {unknown} value
 */
export function text(value) {
  return typeof value === 'string' ? value : '';
}
