import { z } from 'zod';

/** JSON Schema 2020-12, which OpenAPI 3.1 uses. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Describes the input of a zod schema. Refinements have no JSON Schema: put them into a description. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** @param more adds keywords that zod cannot give, such as which of two fields is required */
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
