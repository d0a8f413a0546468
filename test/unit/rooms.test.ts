import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { brokenImports, circles, importsOf } from '../support/import-rules.ts';
import type { Room } from '../support/import-rules.ts';

const SRC = join(import.meta.dirname, '../../src');

const OTEL = '@opentelemetry/*';
/** Node's modules without input or output. */
const PURE = ['node:assert', 'node:buffer', 'node:crypto', 'node:net', 'node:string_decoder', 'node:util'];

/** All rooms that are parts of the broker. */
const BELOW_BROKER = `
  events tcp log log/embedded log/disk log/redis redis delivery stream auth replicas inspect publish observe http http/api routes config
`
  .trim()
  .split(' ');

/** The rooms of src/ (docs/architecture.md), lower ones first. */
const ROOMS: Readonly<Record<string, Room>> = {
  events: { rooms: [], node: PURE },
  node: { rooms: [] },
  tcp: { rooms: [], node: PURE },
  log: { rooms: ['events'], node: PURE },
  'log/embedded': { rooms: ['events', 'log'], node: PURE },
  'log/disk': {
    rooms: ['events', 'log'],
    node: [...PURE, 'node:fs', 'node:path', 'node:sqlite', 'node:worker_threads', 'node:zlib'],
  },
  redis: { rooms: ['events', 'log'], packages: ['ioredis', 'cluster-key-slot'] },
  'log/redis': { rooms: ['events', 'log', 'redis'], node: PURE },
  delivery: { rooms: ['events', 'log'], node: PURE },
  stream: { rooms: ['events', 'node', 'tcp', 'delivery'] },
  auth: { rooms: ['events'], packages: ['jose'] },
  replicas: { rooms: ['events', 'redis', 'auth', 'stream'], packages: ['zod'] },
  inspect: { rooms: ['events', 'log', 'delivery', 'stream', 'replicas'], node: PURE },
  publish: { rooms: ['events', 'log', 'redis', 'auth', 'replicas'], packages: ['zod'], node: PURE },
  observe: { rooms: ['events', 'log', 'delivery', 'publish'], packages: ['pino', 'prom-client', OTEL] },
  http: {
    rooms: ['events', 'node', 'tcp', 'stream', 'auth'],
    packages: ['fastify', '@fastify/*', 'find-my-way', 'ipaddr.js'],
  },
  'http/api': { rooms: ['events', 'delivery', 'http'], packages: ['fastify', 'zod'] },
  routes: {
    rooms: [
      'events',
      'tcp',
      'delivery',
      'stream',
      'auth',
      'replicas',
      'inspect',
      'publish',
      'http',
      'http/api',
    ],
    packages: ['fastify', '@fastify/*', 'zod'],
  },
  config: { rooms: ['events', 'redis', 'auth', 'observe'], packages: ['zod', 'ipaddr.js'] },
  broker: {
    rooms: BELOW_BROKER,
    packages: ['fastify', 'pino'],
  },
  cli: { rooms: ['node', 'auth', 'observe', 'config', 'broker'], packages: ['pino', 'commander', 'jose'] },
  'cli/commands': {
    rooms: ['events', 'auth', 'config', 'cli'],
    packages: ['commander', 'jose', '../client/src/index.ts'],
  },
  '.': { rooms: ['config', 'cli', 'cli/commands'] },
};

const files = new Map(
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [name.replaceAll('\\', '/'), readFileSync(join(SRC, name), 'utf8')]),
);

describe('src/', () => {
  test('has files in every room', () => {
    const folders = new Set([...files.keys()].map((file) => file.split('/').slice(0, -1).join('/') || '.'));
    expect([...folders].toSorted()).toEqual(Object.keys(ROOMS).toSorted());
  });

  test('a room imports only itself and rooms below it', () => {
    expect(brokenImports(files, ROOMS)).toEqual([]);
  });

  test('has no circle of imports, not even of types', () => {
    expect(circles(files)).toEqual([]);
  });

  test('has no circle of rooms', () => {
    const below = new Map(Object.entries(ROOMS).map(([name, { rooms }]) => [flat(name), importLines(rooms)]));
    expect(circles(below)).toEqual([]);
  });
});

/** The imports of a room's lower rooms, as the lines of a file. */
function importLines(rooms: readonly string[]): string {
  return rooms.map((room) => `import './${flat(room)}';`).join('\n');
}

function flat(room: string): string {
  return room.replaceAll('/', '-');
}

describe('the rules', () => {
  const rules: Readonly<Record<string, Room>> = {
    low: { rooms: [], node: ['node:buffer'] },
    high: { rooms: ['low'], packages: ['fastify', '@otel/*'] },
    'high/inner': { rooms: [] },
  };
  const broken = (file: string, line: string): number => brokenImports(new Map([[file, line]]), rules).length;

  test.each([
    ['low/a.ts', "import { b } from './b.ts';"],
    ['low/a.ts', "import 'node:buffer';"],
    ['high/a.ts', "import { b } from '../low/b.ts';"],
    ['high/a.ts', "import fastify from 'fastify';"],
    ['high/a.ts', "import type { T } from 'fastify/types.js';"],
    ['high/a.ts', "import { otel } from '@otel/api';"],
    ['high/a.ts', "import 'node:net';"],
  ])('allow %s: %s', (file, line) => expect(broken(file, line)).toBe(0));

  test.each([
    ['low/a.ts', "import { b } from '../high/b.ts';"],
    ['low/a.ts', "import type { T } from '../high/b.ts';"],
    ['low/a.ts', "import {\n  b,\n  c,\n} from '../high/b.ts';"],
    ['low/a.ts', "export * from '../high/b.ts';"],
    ['low/a.ts', "export const late = await import('../high/b.ts');"],
    ['low/a.ts', "const line = 1; import '../high/b.ts';"],
    ['low/a.ts', "import 'node:net';"],
    ['low/a.ts', "import 'zod';"],
    ['low/a.ts', "import '../../test/support/b.ts';"],
    ['low/a.ts', "import '../attic/b.ts';"],
    ['high/a.ts', "import '../low/../high/inner/b.ts';"],
    ['high/a.ts', "import 'fastify-plugin';"],
    ['high/inner/a.ts', "import '../a.ts';"],
    ['attic/a.ts', ''],
  ])('refuse %s: %s', (file, line) => expect(broken(file, line)).toBe(1));

  test('find a circle of type imports', () => {
    const circle = new Map([
      ['a.ts', "import type { B } from './b.ts';"],
      ['b.ts', "export { c } from './c.ts';"],
      ['c.ts', "import { a } from './a.ts';"],
      ['d.ts', "import { a } from './a.ts';"],
    ]);
    expect(circles(circle)).toEqual(['a.ts → b.ts → c.ts → a.ts']);
  });

  test('find every kind of import', () => {
    const source =
      "import a from 'a';\nimport { b } from \"b\";\nimport 'c';\nexport { d } from 'd';\nawait import('e');";
    expect(importsOf(source)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });
});
