import type { JsonSchema } from './json-schema.ts';

export type AnswerHeader = keyof typeof ANSWER_HEADERS;

export const ANSWER_HEADERS = {
  Allow: {
    description: 'The methods that the path has.',
    schema: { type: 'string' },
  },
  'Retry-After': {
    description: 'Whole seconds after which to try again.',
    schema: { type: 'integer', minimum: 1 },
  },
  'WWW-Authenticate': {
    description: 'RFC 9110 §11.6.1.',
    schema: { type: 'string', const: 'Bearer realm="sluice"' },
  },
  'Idempotent-Replayed': {
    description: 'The `Idempotency-Key` was known: nothing was published, the id is that of the first time.',
    schema: { type: 'string', const: 'true' },
  },
  RateLimit: {
    description:
      'Where a rate is set: how many requests are left (`r`), and for how many seconds (`t`), by key and by address: `"key";r=99;t=1`.',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': {
    description: 'Where a rate is set: how many requests (`q`) in how many seconds (`w`): `"key";q=100;w=1`.',
    schema: { type: 'string' },
  },
} as const satisfies Record<string, { readonly description: string; readonly schema: JsonSchema }>;

/** The headers of an OpenAPI response. */
export function headersOf(names: readonly AnswerHeader[]): { headers?: object } {
  if (names.length === 0) return {};
  return {
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
  };
}
