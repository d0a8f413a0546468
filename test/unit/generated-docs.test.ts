import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { generatedParts, withPart } from '../../scripts/generated-parts.ts';

test.each(generatedParts)('$document holds the generated $name (otherwise run: npm run docs)', (part) => {
  const text = readFileSync(new URL(`../../${part.document}`, import.meta.url), 'utf8');
  expect(text).toBe(withPart(text, part));
});
