import { readFileSync, writeFileSync } from 'node:fs';
import { generatedParts, withPart } from './generated-parts.ts';

// npm run docs: writes the generated parts of the documents.

for (const part of generatedParts) {
  const file = new URL(`../${part.document}`, import.meta.url);
  writeFileSync(file, withPart(readFileSync(file, 'utf8'), part));
}
