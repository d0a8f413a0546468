/** In ms. */
export const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Reads a duration such as `500ms` or `20s`, in lower case. Returns ms; undefined for any other text. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = DURATION.exec(text) ?? [];
  return unit === undefined
    ? undefined
    : Number(digits) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
}
