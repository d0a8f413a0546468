import type { BrokerErrorCode } from '../../core/errors.ts';
import type { Credential } from './credentials.ts';
import type { JsonSchema } from './json-schema.ts';
import type { AnswerHeader } from './answer-headers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the route is described in `/openapi.json`; null for what is no part of the API, such as a page's files. */
    operation?: Operation | null;
  }
}

export const TAGS = {
  publishing: 'Publishing',
  subscribing: 'Subscribing',
  credentials: 'Credentials',
  lookingIn: 'Looking in',
} as const;

/** A route in the words of OpenAPI 3.1, without what follows from the rest (`describeApi`). Texts are CommonMark. */
export interface Operation {
  /** Unique in the document; names of generated clients are made of it. */
  readonly id: string;
  readonly tag: (typeof TAGS)[keyof typeof TAGS];
  readonly summary: string;
  readonly description?: string;
  /** Any one of these will do; none at all where nobody is asked. */
  readonly credentials?: readonly Credential[];
  readonly parameters?: readonly Parameter[];
  readonly body?: RequestBody;
  /** What is answered when all is well, and what is not a problem document. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Problem documents, but for those that any request may get. */
  readonly refusals?: readonly BrokerErrorCode[];
  readonly examples?: readonly Example[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description?: string;
  readonly schema: JsonSchema;
}

interface RequestBody {
  readonly description?: string;
  readonly required: boolean;
  readonly mediaType: string;
  readonly schema: JsonSchema;
}

interface Answer {
  readonly description: string;
  readonly headers?: readonly AnswerHeader[];
  readonly content?: { readonly mediaType: string; readonly schema: JsonSchema };
}

/**
 * A request and its answer. The tests send every one, so each has to be true. Its parts are found in the document by its
 * name; the request of a refusal, which may be wrong by the schemas, stands beside the answer as `x-request`.
 */
export interface Example {
  /** Unique in the operation. */
  readonly name: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly status: number;
  readonly answer: unknown;
}
