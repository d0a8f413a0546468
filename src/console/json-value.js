/**
 * What came as JSON, if it is an object; else an empty one.
 *
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function record(value) {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/**
 * What came as JSON, if it is a string; else an empty one.
 *
 * @param {unknown} value
 */
export function text(value) {
  return typeof value === 'string' ? value : '';
}
