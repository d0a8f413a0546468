import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DOCUMENT_LINES } from '../support/document-lines.ts';
import { documents, hasPlainFence, ROOT, shellBlocks } from '../support/document-shell.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** Where the documents write to. */
const OUTPUT = /^bench\/results\//;

/** The words of shell lines that name a file of the project: by a folder of it, or by an ending. */
function namedFiles(block: string): string[] {
  const words = block.split(/[\s"'=()<>|;&]+/).map((word) => word.replace(/^\.\//, ''));
  const file =
    /^(?:(?:bench|client|deploy|docs|examples|helm|scripts|src|test)\/[\w./-]+|[\w./-]+\.(?:ya?ml|ts|mjs|md))$/;
  return words.filter((word) => file.test(word) && !OUTPUT.test(word));
}

describe.each(documents())('the shell lines of %s', (document) => {
  const blocks = shellBlocks(read(document));
  const uses = Object.entries(DOCUMENT_LINES[document] ?? {});
  const usesOf = (block: string) => uses.filter(([key]) => block.includes(key));
  const shell = blocks.filter((block) => usesOf(block).every(([, use]) => !('text' in use)));

  test('are each in test/support/document-lines.ts, once', () => {
    expect(blocks.filter((block) => usesOf(block).length !== 1)).toEqual([]);
  });

  test('are what test/support/document-lines.ts has, and no more', () => {
    expect(uses.filter(([key]) => !blocks.some((block) => block.includes(key)))).toEqual([]);
  });

  test('are valid, and name existing files and scripts', () => {
    for (const block of shell) {
      execFileSync('bash', ['-n', '-c', block], { stdio: 'pipe' });
      expect(namedFiles(block).filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
      const named = [...block.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name);
      expect(named.filter((name) => !(name in scripts))).toEqual([]);
    }
  });

  test('are run by the tests that are named', () => {
    const unused = uses.filter(([key, use]) => {
      if (!('run' in use)) return false;
      const code = existsSync(join(ROOT, use.run)) ? read(use.run) : '';
      return !code.includes(document) || !code.includes(key);
    });
    expect(unused).toEqual([]);
  });

  test('are the only code without a language', () => {
    expect(hasPlainFence(read(document))).toBe(false);
  });
});

test('test/support/document-lines.ts names no other document', () => {
  const all = documents();
  expect(Object.keys(DOCUMENT_LINES).filter((path) => !all.includes(path))).toEqual([]);
});

test('the reader of documents finds shell, and no lists and no other languages', () => {
  const text = [
    '    a',
    '      b',
    '',
    '    c',
    '',
    '- list',
    '',
    '    no code',
    '',
    'Text',
    '',
    '    d',
    '',
  ];
  const fences = ['```sh', 'e', '```', '', '```js', '    f', '```', '', '- x', '  ```bash', '  g', '  ```'];
  expect(shellBlocks([...text, ...fences].join('\n'))).toEqual(['e', 'g', 'a\n  b', 'c', 'd']);
});
