import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { habits } from './lint-snippets.ts';
import type { Snippet } from './lint-snippets.ts';

const root = join(import.meta.dirname, '../..');

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly labels: readonly [{ readonly span: { readonly line: number } }];
}

describe('the linter', () => {
  let folder: string;
  let found: readonly Diagnostic[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-lint-'));
    found = await lint(folder, habits);
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test.each(habits)('enforces $rule in $file', (snippet) => {
    const lines = [...snippet.refused, ...snippet.allowed];
    const refused = new Set(
      found
        .filter(({ code, filename }) => code === snippet.rule && filename === snippet.file)
        .map(({ labels: [{ span }] }) => lines[span.line - 1]),
    );
    expect(refused).toEqual(new Set(snippet.refused));
  });
});

/** Lints the snippets in a separate folder, with the project's configuration and none of its files. */
async function lint(folder: string, snippets: readonly Snippet[]): Promise<readonly Diagnostic[]> {
  await copyFile(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const { file, refused, allowed } of snippets) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), [...refused, ...allowed, ''].join('\n'));
  }
  const oxlint = join(root, 'node_modules/.bin/oxlint');
  const output = await new Promise<string>((resolve) => {
    // The linter exits with 1, because the snippets break rules.
    execFile(oxlint, ['--format', 'json', '.'], { cwd: folder, maxBuffer: 2 ** 24 }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  if (!output.startsWith('{')) throw new Error(`oxlint did not lint: ${output}`);
  const { diagnostics } = JSON.parse(output) as { diagnostics: Diagnostic[] };
  return diagnostics;
}
