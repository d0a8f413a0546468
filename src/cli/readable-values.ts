const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const SECOND_MS = 1_000;
const UNITS_MS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400 * SECOND_MS],
  ['h', 3_600 * SECOND_MS],
  ['min', 60 * SECOND_MS],
  ['s', SECOND_MS],
];

/** Such as `812 B` and `1.4 MiB`. */
export function readableBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < BYTE_UNITS.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${BYTE_UNITS[unit]}`;
}

/** Such as `3 d 4 h`, `12 s` and `40 ms`: the two largest units. */
export function readableDuration(ms: number): string {
  const first = UNITS_MS.findIndex(([, size]) => ms >= size);
  if (first === -1) return `${Math.round(ms)} ms`;
  const parts: string[] = [];
  let rest = ms;
  for (const [unit, size] of UNITS_MS.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.join(' ');
}

/** The local time, such as `2026-01-31 12:00:00`. */
export function readableTime(ms: number): string {
  // Sweden writes dates as ISO 8601 does.
  return new Date(ms).toLocaleString('sv-SE');
}

/** When the log took an event, by its id; undefined for `0-0` and for a text that is not an id. */
export function timeOfId(id: string): number | undefined {
  const ms = Number(/^(\d{1,15})-\d+$/.exec(id)?.[1]);
  return ms > 0 ? ms : undefined;
}

/** Such as `1 event` and `12,000 events`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
