import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { BrokerError } from '../../src/events/errors.ts';
import type { BrokerErrorCode } from '../../src/events/errors.ts';
import { PROBLEM_ADVICE } from '../../src/http/api/problem-answers.ts';
import { problemOf } from '../../src/http/problem.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The first two cells of each row of the tables in a text, without backticks. */
function rows(text: string): Map<string, string> {
  const cells = text.matchAll(/^\| `([^`|]+)` \| ([^|]+) \|/gm);
  return new Map([...cells].map(([, first = '', second = '']) => [first, second.replaceAll('`', '').trim()]));
}

/** The items that a source file lists, one on each line. Types do not exist at run time, so this reads the text. */
function listed(path: string, form: RegExp): string[][] {
  const found = [...read(path).matchAll(form)].map(([, ...groups]) => groups);
  expect(found.length).toBeGreaterThan(10);
  return found;
}

test('docs/protocol.md lists every error code, with its status, and no other', () => {
  const codes = listed('src/events/errors.ts', /^ {2}\| '([a-z-]+)'/gm).map(
    ([code]) => code as BrokerErrorCode,
  );
  const documented = [...rows(read('docs/protocol.md'))].filter(([, status]) => /^[45]\d\d$/.test(status));
  const expected = codes.map((code) => [code, String(problemOf(new BrokerError(code, '')).status)]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(expected));
});

test('/openapi.json describes every error code as docs/protocol.md does', () => {
  const advice = [...read('docs/protocol.md').matchAll(/^\| `([a-z-]+)` \| [45]\d\d \| (.*) \|$/gm)];
  // References to other sections make sense in that document alone.
  const documented = advice.map(([, code = '', text = '']) => [
    code,
    text.replaceAll(/ \((?:§\d|below)\)/g, ''),
  ]);
  expect(PROBLEM_ADVICE).toEqual(Object.fromEntries(documented));
});

test('docs/operations.md lists every setting, with its default, and no other', () => {
  const settings = listed(
    'src/config/settings.ts',
    /^ {2}([A-Z_]+): setting\([^;]*?,\s*('[^']*'|undefined),\s*'[^']*',?\s*\),$/gm,
  );
  const names = listed('src/config/settings.ts', /^ {2}([A-Z_]+): setting\(/gm).flat();
  expect(settings.map(([name]) => name)).toEqual(names);
  const expected = settings.map(([name, fallback = '']) => [
    name,
    fallback === 'undefined' || fallback === "''" ? 'none' : fallback.slice(1, -1),
  ]);
  const [, table = ''] = read('docs/operations.md').split('<!-- npm run docs: settings begin -->');
  const documented = rows(table.split('<!-- npm run docs: settings end -->')[0] ?? '');
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(expected));
});

test('each test that SECURITY.md names exists', () => {
  const named = [...read('SECURITY.md').matchAll(/`(test\/[^`]+)`/g)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(15);
  expect(named.filter((path) => !existsSync(new URL(`../../${path}`, import.meta.url)))).toEqual([]);
});

test('each test that docs/compared.md names exists, with its title', () => {
  const named = [...read('docs/compared.md').matchAll(/`(test\/[^`]+)`(?:: "([^"]+)")?/g)];
  expect(named.length).toBeGreaterThan(30);
  const missing = named.filter(([, path = '', title]) => {
    const file = new URL(`../../${path}`, import.meta.url);
    if (title === undefined || !existsSync(file)) return true;
    const text = readFileSync(file, 'utf8');
    // The title is the first argument of test( or describe(.
    return ![`'`, `"`, '`'].some((quote) => text.includes(`(${quote}${title}${quote}`));
  });
  expect(missing.map(([reference]) => reference)).toEqual([]);
});

test('each test that docs/reliability.md names exists', () => {
  const form = /`((?:unit|contract|integration|faults|guard|edges)(?:\/[a-z0-9/-]+)?)`/g;
  const named = [...read('docs/reliability.md').matchAll(form)].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(60);
  const missing = named.filter((path) =>
    [`${path}.test.ts`, path].every((file) => !existsSync(new URL(`../../test/${file}`, import.meta.url))),
  );
  expect(missing).toEqual([]);
});

test('each feature of go-sse in docs/compared.md has a test, or is said to be missing', () => {
  const [, table = ''] =
    /^\| feature \| go-sse \|.*\n.*\n((?:\|.*\n)+)/m.exec(read('docs/compared.md')) ?? [];
  const features = table.trim().split('\n');
  expect(features.length).toBeGreaterThan(10);
  expect(features.filter((row) => !/`test\/|not yet/.test(row))).toEqual([]);
});

test('links between documents point to existing files and headings', () => {
  for (const document of documents()) {
    const base = new URL(`../../${document}`, import.meta.url);
    for (const [, target = ''] of read(document).matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const url = new URL(target, base);
      const anchors = /(?:\.md|^)#/.test(target) ? anchorsOf(readFileSync(url, 'utf8')) : [];
      const found = target.includes('#') ? anchors.includes(url.hash.slice(1)) : existsSync(url);
      expect(found, `${document}: ${target}`).toBe(true);
    }
  }
});

test('prose in documents is wrapped below 120 columns (otherwise run: npm run format)', () => {
  const long = documents().flatMap((document) =>
    proseLines(read(document))
      .filter((line) => line.length >= 120)
      .map((line) => `${document}: ${line}`),
  );
  expect(long).toEqual([]);
});

test('each file of src/ that the architecture, its decisions and CONTRIBUTING.md name exists', () => {
  const src = new URL('../../src/', import.meta.url);
  const rooms = readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const path = new RegExp(`\`(?:src/)?((?:${rooms.map(({ name }) => name).join('|')})/[a-z/0-9.-]*)\``, 'g');
  const named = documents()
    .filter((document) => /^(?:docs\/architecture|docs\/adr\/.*|CONTRIBUTING)\.md$/.test(document))
    .flatMap((document) => [...read(document).matchAll(path)].map(([, file = '']) => file));
  expect(named.length).toBeGreaterThan(80);
  const exists = (file: string): boolean => existsSync(new URL(file, src));
  expect(named.filter((file) => !exists(file) && !exists(`${file}.ts`))).toEqual([]);
});

/** Every Markdown file of the project. */
function documents(): string[] {
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const found = globSync('**/*.md', { cwd, exclude: ['**/node_modules', '**/.git'] });
  expect(found).toContain('docs/adr/0001-streams-end-by-closing.md');
  return found.toSorted();
}

/** The lines that can be wrapped. Leaves out tables, code, and lines of a single word such as a link. */
function proseLines(text: string): string[] {
  const withoutFences = text.replaceAll(/^( *)(`{3,})[^]*?^\1\2$/gm, '');
  return withoutFences.split('\n').filter((line) => !/^(?:\|| {4}|\s*(?:[-*] |\d+\. )?\S+$)/.test(line));
}

function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
}
