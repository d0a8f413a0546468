import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** A file that breaks rules: its lines, and of the rule under test the lines that the linter has to refuse. */
interface Snippet {
  readonly file: string;
  readonly rule: string;
  readonly refused: readonly string[];
  readonly allowed: readonly string[];
}

const OTEL = '@opentelemetry/api';

const layers: readonly Snippet[] = [
  imports('src/core/snippet.ts', {
    refused: [
      ...parts('..', ['sse', 'logs', 'logs/redis', 'http', 'auth', 'cli', 'tracing']),
      '../metrics.ts',
      '../config.ts',
      '../app.ts',
      './../sse/file.ts',
      'node:http',
      'node:net',
      'node:fs/promises',
      'node:timers/promises',
      'ioredis',
      'fastify',
      'zod',
      'pino',
      OTEL,
    ],
    allowed: ['./event.ts', 'node:buffer'],
  }),
  ...['sse', 'auth', 'logs', 'tracing', 'newcomer'].map((folder) =>
    imports(`src/${folder}/snippet.ts`, {
      refused: [
        ...parts(
          '..',
          ['sse', 'logs', 'http', 'auth', 'cli', 'tracing', 'newcomer'].filter((name) => name !== folder),
        ),
        '../metrics.ts',
        '../config.ts',
        '../app.ts',
        '../main.ts',
        '../core/../http/file.ts',
        './../http/file.ts',
        '../../test/support/file.ts',
        'ioredis',
        'fastify',
        '@fastify/cors',
        'prom-client',
        ...(folder === 'tracing' ? [] : [OTEL]),
      ],
      allowed: ['./file.ts', '../core/event.ts', 'node:http', 'zod', ...(folder === 'tracing' ? [OTEL] : [])],
    }),
  ),
  imports('src/logs/redis/snippet.ts', {
    refused: [
      ...parts('../..', ['sse', 'http', 'auth', 'cli']),
      '../../metrics.ts',
      '../../config.ts',
      '../../app.ts',
      '../redis/../../http/file.ts',
      'fastify',
      'prom-client',
      OTEL,
    ],
    allowed: ['./file.ts', '../memory-event-log.ts', '../../core/event.ts', 'ioredis', 'node:fs'],
  }),
  imports('src/http/snippet.ts', {
    refused: [
      ...parts('..', ['logs', 'logs/redis', 'cli', 'tracing', 'newcomer']),
      '../metrics.ts',
      '../config.ts',
      '../app.ts',
      'ioredis',
      OTEL,
      'prom-client',
    ],
    allowed: [
      './file.ts',
      '../core/event.ts',
      '../sse/frame.ts',
      '../auth/file.ts',
      'fastify',
      '@fastify/cors',
    ],
  }),
  imports('src/http/routes/snippet.ts', {
    refused: [
      ...parts('../..', ['logs', 'cli']),
      '../../metrics.ts',
      '../../config.ts',
      '../../app.ts',
      'ioredis',
      OTEL,
    ],
    allowed: [
      './file.ts',
      '../file.ts',
      '../../core/event.ts',
      '../../sse/frame.ts',
      '../../auth/file.ts',
      'fastify',
    ],
  }),
  imports('src/cli/snippet.ts', {
    refused: [
      ...parts('..', ['sse', 'logs', 'http', 'auth']),
      '../metrics.ts',
      '../main.ts',
      'ioredis',
      'fastify',
      OTEL,
    ],
    allowed: ['./file.ts', '../core/event.ts', '../app.ts', '../config.ts'],
  }),
  ...['config', 'metrics', 'newcomer'].map((name) =>
    imports(`src/${name}.ts`, {
      refused: [
        ...parts('.', ['sse', 'logs', 'http', 'auth', 'cli', 'tracing']),
        './app.ts',
        './main.ts',
        './other.ts',
        'ioredis',
        'fastify',
        OTEL,
        ...(name === 'metrics' ? ['./config.ts'] : ['./metrics.ts', 'prom-client']),
      ],
      allowed: [
        './core/event.ts',
        ...(name === 'metrics' ? ['prom-client'] : ['zod']),
        ...(name === 'config' ? ['./settings/file.ts'] : []),
      ],
    }),
  ),
  imports('src/app.ts', {
    refused: ['./main.ts', './cli/file.ts', '../test/support/file.ts', 'ioredis', 'prom-client', OTEL],
    allowed: [
      ...parts('.', ['core', 'sse', 'logs', 'logs/redis', 'http', 'auth', 'tracing']),
      './config.ts',
      './metrics.ts',
      'fastify',
      '@fastify/cors',
      'pino',
    ],
  }),
  imports('src/main.ts', {
    refused: [
      ...parts('.', ['sse', 'logs', 'logs/redis', 'http', 'auth', 'tracing']),
      'ioredis',
      'fastify',
      'prom-client',
      OTEL,
    ],
    allowed: ['./app.ts', './config.ts', './metrics.ts', './cli/file.ts', './core/file.ts', 'pino'],
  }),
];

const habits: readonly Snippet[] = [
  ...['src/core/console.ts', 'src/http/console.ts', 'src/metrics/console.ts'].map((file) => ({
    file,
    rule: 'eslint(no-console)',
    refused: ["console.log('here');"],
    allowed: [],
  })),
  ...['src/cli/console.ts', 'src/main.ts'].map((file) => ({
    file,
    rule: 'eslint(no-console)',
    refused: [],
    allowed: ["console.log('here');"],
  })),
  {
    file: 'src/core/io.ts',
    rule: 'eslint(no-restricted-globals)',
    refused: ['export const port = process.env.PORT;', "export const answer = fetch('http://localhost');"],
    allowed: ['export const now = Date.now();'],
  },
  {
    file: 'src/http/default.ts',
    rule: 'import(no-default-export)',
    refused: ['export default 1;'],
    allowed: ['export const one = 1;'],
  },
  {
    file: 'src/http/any.ts',
    rule: 'typescript(no-explicit-any)',
    refused: ['export type Loose = any;'],
    allowed: ['export type Strict = unknown;'],
  },
  {
    file: 'src/http/CamelCase.ts',
    rule: 'unicorn(filename-case)',
    refused: ['export const camel = 1;'],
    allowed: [],
  },
  {
    file: 'src/sse/chicken.ts',
    rule: 'import(no-cycle)',
    refused: ["import { egg } from './egg.ts';"],
    allowed: ['export const chicken = (): unknown => egg;'],
  },
  {
    file: 'src/sse/egg.ts',
    rule: 'import(no-cycle)',
    refused: ["import { chicken } from './chicken.ts';"],
    allowed: ['export const egg = (): unknown => chicken;'],
  },
];

function imports(
  file: string,
  { refused, allowed }: { readonly refused: readonly string[]; readonly allowed: readonly string[] },
): Snippet {
  // Types and late imports are dependencies too.
  const [first = './none.ts'] = refused;
  return {
    file,
    rule: 'eslint(no-restricted-imports)',
    refused: [
      ...refused.map((specifier) => importLine(specifier)),
      `import type { T } from '${first}';`,
      `export * from '${first}';`,
      `export const late = await import('${first}');`,
    ],
    allowed: allowed.map((specifier) => importLine(specifier)),
  };
}

function importLine(specifier: string): string {
  return `import '${specifier}';`;
}

function parts(up: string, folders: readonly string[]): string[] {
  return folders.map((folder) => `${up}/${folder}/file.ts`);
}

interface Diagnostic {
  readonly code: string;
  readonly filename: string;
  readonly labels: readonly [{ readonly span: { readonly line: number } }];
}

describe('the linter', () => {
  let folder: string;
  let found: readonly Diagnostic[];

  // A run for each set, in a tree of its own: a file may be in both.
  const sets = [layers, habits];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-layers-'));
    found = (await Promise.all(sets.map(async (set, i) => await lint(join(folder, String(i)), set)))).flat();
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test.each(sets.flat())('keeps $rule in $file', (snippet) => {
    const lines = [...snippet.refused, ...snippet.allowed];
    const refused = new Set(
      found
        .filter(({ code, filename }) => code === snippet.rule && filename === snippet.file)
        .map(({ labels: [{ span }] }) => lines[span.line - 1]),
    );
    expect(refused).toEqual(new Set(snippet.refused));
  });
});

/** Lints the snippets in a tree of their own, which has the project's configuration and none of its files. */
async function lint(folder: string, snippets: readonly Snippet[]): Promise<readonly Diagnostic[]> {
  await mkdir(folder);
  await copyFile(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const { file, refused, allowed } of snippets) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    await writeFile(join(folder, file), [...refused, ...allowed, ''].join('\n'));
  }
  const oxlint = join(root, 'node_modules/.bin/oxlint');
  const output = await new Promise<string>((resolve) => {
    // It exits with 1, as it should: the snippets are at fault.
    execFile(oxlint, ['--format', 'json', '.'], { cwd: folder, maxBuffer: 2 ** 24 }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  if (!output.startsWith('{')) throw new Error(`oxlint did not lint: ${output}`);
  const { diagnostics } = JSON.parse(output) as { diagnostics: Diagnostic[] };
  return diagnostics;
}
