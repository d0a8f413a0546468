import { z } from 'zod';

/** JSON Schema 2020-12, which is what OpenAPI 3.1 speaks. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a zod schema takes. What it cannot say in JSON Schema, such as a refinement, belongs into a description. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** A body of JSON, of a request or an answer; `more` says what zod cannot, such as which of two fields is needed. */
export function jsonBodyOf(
  schema: z.ZodType,
  more: JsonSchema = {},
): { readonly mediaType: string; readonly schema: JsonSchema } {
  return { mediaType: 'application/json', schema: { ...jsonSchemaOf(schema), ...more } };
}

/** A string of this form. */
export function textOf(form: RegExp): JsonSchema {
  return { type: 'string', pattern: form.source };
}
