import type { BrokerErrorCode } from '../../events/errors.ts';
import type { Credential } from './credentials.ts';
import type { JsonSchema } from './json-schema.ts';
import type { AnswerHeader } from './answer-headers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's description in `/openapi.json`. Null for a route that is not part of the API, such as a page's files. */
    operation?: Operation | null;
  }
}

/** The groups of operations, in the order of the API document. */
export const TAGS = {
  publishing: 'Publishing',
  subscribing: 'Subscribing',
  inspection: 'Looking in',
  credentials: 'Credentials',
  monitoring: 'Health, metrics and pages',
} as const;

export type Tag = (typeof TAGS)[keyof typeof TAGS];

/** Describes a route. `describeApi` makes OpenAPI 3.1 of it. Texts are CommonMark. */
export interface Operation {
  /** Unique in the document. Generated clients use it as the name of a method. */
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  /** A request needs any one of these. Omitted for a route that needs no credential. */
  readonly credentials?: readonly Credential[];
  readonly parameters?: readonly Parameter[];
  readonly body?: RequestBody;
  /** The successful answers, and others that are not problem documents. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** The problem documents of this route. Leave out those that any request may get. */
  readonly refusals?: readonly BrokerErrorCode[];
  readonly examples?: readonly Example[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  /** A parameter of the path is always required. */
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

interface RequestBody {
  readonly description?: string;
  readonly required: boolean;
  readonly mediaType: string;
  readonly schema: JsonSchema;
  /** The schemas of other media types that the route takes. */
  readonly others?: Readonly<Record<string, JsonSchema>>;
}

interface Answer {
  readonly description: string;
  readonly headers?: readonly AnswerHeader[];
  readonly content?: { readonly mediaType: string; readonly schema: JsonSchema };
}

/**
 * A request and its answer. The tests send every example to a broker and compare the answer. In the document, all parts of an
 * example have the same name. The request of a refusal may violate the schemas, so it stands beside the answer as `x-request`.
 */
export interface Example {
  /** Unique in the operation. */
  readonly name: string;
  readonly summary: string;
  /** Several values are a parameter that is repeated. */
  readonly parameters?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
  readonly status: number;
  readonly answer: unknown;
}
