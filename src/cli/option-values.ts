import { InvalidArgumentError } from 'commander';

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The parser of an option that takes a whole number. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`It takes a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** The parser of an option that takes a duration, such as `90s`, `5m`, `24h` and `7d`. Its values are in ms. */
export function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const [, digits = '', unit = ''] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
    const value = Number(digits) * (UNITS_MS[unit] ?? Number.NaN);
    if (!(value >= minMs && value <= maxMs))
      throw new InvalidArgumentError('It takes a duration such as 500ms, 90s, 5m, 24h or 7d.');
    return value;
  };
}

/** The parser of an option that may be repeated. */
export function repeated(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}
