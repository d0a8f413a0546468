/** A file that breaks rules: its lines, and of the rule under test the lines that the linter has to refuse. */
export interface Snippet {
  readonly file: string;
  readonly rule: string;
  readonly refused: readonly string[];
  readonly allowed: readonly string[];
}

const OTEL = '@opentelemetry/api';

export const layers: readonly Snippet[] = [
  imports('src/core/snippet.ts', {
    refused: [
      ...parts('..', ['sse', 'logs', 'logs/redis', 'http', 'auth', 'publish', 'cli', 'tracing']),
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
          ['sse', 'logs', 'http', 'auth', 'publish', 'cli', 'tracing', 'newcomer'].filter(
            (name) => name !== folder,
          ),
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
      ...parts('../..', ['sse', 'http', 'auth', 'publish', 'cli']),
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
  imports('src/publish/snippet.ts', {
    refused: [
      ...parts('..', ['sse', 'logs', 'logs/redis', 'http', 'cli', 'tracing', 'newcomer']),
      '../metrics.ts',
      '../config.ts',
      '../app.ts',
      'ioredis',
      'fastify',
      '@fastify/cors',
      'prom-client',
      OTEL,
    ],
    allowed: ['./file.ts', '../core/event.ts', '../auth/file.ts', 'node:crypto', 'zod'],
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
      '../publish/file.ts',
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
      '../../publish/file.ts',
      'fastify',
    ],
  }),
  imports('src/cli/snippet.ts', {
    refused: [
      ...parts('..', ['sse', 'logs', 'http', 'auth', 'publish']),
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
        ...parts('.', ['sse', 'logs', 'http', 'auth', 'publish', 'cli', 'tracing']),
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
  imports('src/wiring/snippet.ts', {
    refused: [...parts('..', ['cli']), '../app.ts', 'ioredis', '@fastify/cors', OTEL],
    allowed: [
      './file.ts',
      'fastify',
      ...parts('..', ['sse', 'http', 'publish']),
      '../metrics.ts',
      '../config.ts',
      '../core/event.ts',
      '../auth/file.ts',
      '../logs/file.ts',
      '../logs/redis/file.ts',
      '../tracing/file.ts',
    ],
  }),
  imports('src/app.ts', {
    refused: ['./main.ts', './cli/file.ts', '../test/support/file.ts', 'ioredis', 'prom-client', OTEL],
    allowed: [
      ...parts('.', ['core', 'sse', 'logs', 'logs/redis', 'http', 'auth', 'wiring']),
      './config.ts',
      './metrics.ts',
      'fastify',
      '@fastify/cors',
      'pino',
    ],
  }),
  imports('src/main.ts', {
    refused: [
      ...parts('.', ['sse', 'logs', 'logs/redis', 'http', 'auth', 'publish', 'tracing']),
      'ioredis',
      'fastify',
      'prom-client',
      OTEL,
    ],
    allowed: ['./app.ts', './config.ts', './metrics.ts', './cli/file.ts', './core/file.ts', 'pino'],
  }),
];

export const habits: readonly Snippet[] = [
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
