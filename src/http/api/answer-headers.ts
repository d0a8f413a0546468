import type { JsonSchema } from './json-schema.ts';

export type AnswerHeader = keyof typeof ANSWER_HEADERS;

export const ANSWER_HEADERS = {
  Allow: {
    description: 'The methods that this path accepts.',
    schema: { type: 'string' },
  },
  'Retry-After': {
    description: 'How many seconds to wait before trying again.',
    schema: { type: 'integer', minimum: 1 },
  },
  'WWW-Authenticate': {
    description: 'RFC 9110 §11.6.1.',
    schema: { type: 'string', const: 'Bearer realm="sluice"' },
  },
  'Idempotent-Replayed': {
    description:
      'The broker has seen this `Idempotency-Key` before. It published nothing and returns the ids of the first publish.',
    schema: { type: 'string', const: 'true' },
  },
  'Sluice-Position': {
    description: 'The position to go on from, with either form of reading: an event id, or `0-0`.',
    schema: { type: 'string' },
  },
  RateLimit: {
    description:
      'Present when a rate limit is set. How many events may still be published (`r`) until the window ends in `t` seconds, for the key and for the address: `"key";r=99;t=1`.',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': {
    description:
      'Present when a rate limit is set. The limit: `q` events in a window of `w` seconds: `"key";q=100;w=1`.',
    schema: { type: 'string' },
  },
} as const satisfies Record<string, { readonly description: string; readonly schema: JsonSchema }>;

/** Makes the `headers` of an OpenAPI response. */
export function headersOf(names: readonly AnswerHeader[]): { headers?: object } {
  if (names.length === 0) return {};
  return {
    headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
  };
}
