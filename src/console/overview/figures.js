/** @param {number} value */
export function count(value) {
  return value.toLocaleString('en', { maximumFractionDigits: 0 });
}

/**
 * Events a second: small rates with a decimal.
 *
 * @param {number | null | undefined} value
 */
export function rate(value) {
  if (value === null || value === undefined) return '–';
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
}

/** @param {number} bytes */
export function size(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1_024 && unit < units.length - 1; unit++) value /= 1_024;
  return `${value.toLocaleString('en', { maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`;
}

/**
 * The two largest units of a duration, such as `3 d 4 h`.
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const units = /** @type {const} */ ([
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ]);
  let rest = Math.floor(seconds);
  const parts = [];
  for (const [unit, length] of units) {
    const whole = Math.floor(rest / length);
    rest -= whole * length;
    if (whole > 0) parts.push(`${whole} ${unit}`);
    else if (parts.length > 0) break;
  }
  return parts.slice(0, 2).join(' ') || '0 s';
}

/**
 * The local time of day, such as `14:05:09`.
 *
 * @param {number} [ms] since 1970; now without it
 */
export function clock(ms = Date.now()) {
  return new Date(ms).toLocaleTimeString('en-GB');
}

/**
 * The local date and time of an id, such as `1763596800000-0`, or of a text by ISO 8601.
 *
 * @param {string} value
 */
export function time(value) {
  if (value === '' || value === '0-0') return '–';
  const ms = /^\d+-\d+$/.test(value) ? Number(value.split('-')[0]) : Date.parse(value);
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return '–';
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** @param {number} part */
function two(part) {
  return String(part).padStart(2, '0');
}

/**
 * A number of an answer; undefined for any other value.
 *
 * @param {unknown} value
 */
export function number(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
