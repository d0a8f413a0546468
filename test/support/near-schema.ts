import fc from 'fast-check';

type Schema = Readonly<Record<string, unknown>>;

/**
 * Values near the limits of a JSON Schema, about half of them valid; a validator decides which. Covers the vocabulary
 * that the API document uses. No string contains half of a surrogate pair.
 */
export function nearSchema(schema: Schema): fc.Arbitrary<unknown> {
  const near = nearType(schema);
  return fc.oneof({ weight: 12, arbitrary: near }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
}

function nearType(schema: Schema): fc.Arbitrary<unknown> {
  const { type, const: only, enum: values, anyOf } = schema;
  if (only !== undefined) return fc.constant(only);
  if (Array.isArray(values)) return fc.constantFrom(...(values as unknown[]));
  if (Array.isArray(anyOf) && type === undefined) return fc.oneof(...(anyOf as Schema[]).map(nearSchema));
  switch (type) {
    case 'object':
      return nearObject(schema);
    case 'array':
      return nearArray(schema);
    case 'string':
      return nearString(schema);
    case 'integer':
      return nearInteger(schema);
    case 'boolean':
      return fc.boolean();
    default:
      return fc.oneof(fc.jsonValue({ maxDepth: 3 }), nearString(schema));
  }
}

/** Each field may be missing, and an unknown field may be present. Often there are only the fields that the schema requires, and one more. */
function nearObject(schema: Schema): fc.Arbitrary<unknown> {
  const fields = Object.fromEntries(
    Object.entries(schema['properties'] as Record<string, Schema>).map(([name, field]) => [
      name,
      nearSchema(field),
    ]),
  );
  const small = requiredTogether(schema).flatMap((required) =>
    Object.keys(fields).map((other) => {
      const some = [...new Set([...required, other])].flatMap((name) => {
        const field = fields[name];
        return field === undefined ? [] : [[name, field] as const];
      });
      return fc.record(Object.fromEntries(some));
    }),
  );
  const records = fc.oneof(fc.record(fields, { requiredKeys: [] }), fc.oneof(...small));
  const stranger = fc.oneof(
    { weight: 8, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 1 }),
    },
  );
  return fc
    .tuple(records, stranger)
    .map(([known, strange]) => Object.fromEntries([...Object.entries(strange), ...Object.entries(known)]));
}

/** The names of the required fields, for each choice of a schema in `anyOf` and `oneOf`. */
function requiredTogether({ required = [], anyOf = [{}], oneOf = [{}] }: Schema): string[][] {
  const namesOf = (schema: Schema): readonly string[] => (schema['required'] ?? []) as readonly string[];
  return (anyOf as Schema[]).flatMap((any) =>
    (oneOf as Schema[]).map((one) => [required as string[], namesOf(any), namesOf(one)].flat()),
  );
}

function nearArray({ items, maxItems }: Schema): fc.Arbitrary<unknown> {
  const some = fc.array(nearSchema(items as Schema), { maxLength: 3 });
  if (typeof maxItems !== 'number') return some;
  const many = fc.constantFrom(maxItems, maxItems + 1).map((count) => Array<string>(count).fill('a'));
  return fc.oneof({ weight: 5, arbitrary: some }, { weight: 1, arbitrary: many });
}

function nearInteger({ minimum = 0, maximum = 1e9 }: Schema): fc.Arbitrary<unknown> {
  const [least, most] = [Number(minimum), Number(maximum)];
  return fc.oneof(
    fc.integer({ min: least, max: most }),
    fc.constantFrom(least, most, least - 1, most + 1, least + 0.5, -least, 1e300),
  );
}

/** ASCII, invisible characters, and characters of two UTF-16 units. */
const CHARACTERS = [
  'a',
  'Z',
  '7',
  '.',
  '*',
  ':',
  '-',
  ' ',
  '\0',
  '\n',
  '\u007f',
  '\u009f',
  'ß',
  '\ufeff',
  '🌊',
];

function nearString(schema: Schema): fc.Arbitrary<string> {
  const { maxLength } = schema;
  const patterns = [schema, ...((schema['allOf'] as Schema[] | undefined) ?? [])]
    // fc.stringMatching supports no lookahead, so it is removed. The validator still checks the lookahead.
    .map(({ pattern }) => (typeof pattern === 'string' ? pattern.replaceAll(/\(\?![^)]*\)/g, '') : ''))
    .filter((pattern) => pattern !== '' && pattern !== '^');
  const matching = patterns.map((pattern) => fc.stringMatching(new RegExp(pattern, 'u')));
  const edges =
    typeof maxLength === 'number'
      ? [maxLength, maxLength + 1].flatMap((length) => ['a', 'ß', '🌊'].map((one) => one.repeat(length)))
      : ['a'.repeat(200), 'a'.repeat(201), `${'a'.repeat(200)}*`];
  return fc
    .oneof(
      { weight: 4, arbitrary: fc.oneof(...matching, fc.string({ minLength: 1, maxLength: 8 })) },
      { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...CHARACTERS), maxLength: 4 }) },
      { weight: 1, arbitrary: fc.constantFrom('', '.', '..', '...', 'sluice:x', 'Sluice:x', ...edges) },
    )
    .filter((text) => text.isWellFormed());
}
