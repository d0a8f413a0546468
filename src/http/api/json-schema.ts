import { z } from 'zod';

/** JSON Schema 2020-12, which OpenAPI 3.1 uses. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Returns the JSON Schema of a zod schema's input. Refinements have no JSON Schema, so put them into a description. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** @param more keywords that zod does not make, such as which of two fields is required */
export function jsonBodyOf(
  schema: z.ZodType,
  more: JsonSchema = {},
): { readonly mediaType: string; readonly schema: JsonSchema } {
  return { mediaType: 'application/json', schema: { ...jsonSchemaOf(schema), ...more } };
}

/** Returns the schema of a string that matches the expression. */
export function textOf(form: RegExp): JsonSchema {
  return { type: 'string', pattern: form.source };
}
