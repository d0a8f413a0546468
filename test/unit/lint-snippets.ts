/** A file that breaks rules: its lines, and the lines that the linter must refuse for the rule under test. */
export interface Snippet {
  readonly file: string;
  readonly rule: string;
  readonly refused: readonly string[];
  readonly allowed: readonly string[];
}

export const habits: readonly Snippet[] = [
  ...['src/events/console.ts', 'src/http/console.ts', 'src/observe/console.ts'].map((file) => ({
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
    file: 'src/delivery/io.ts',
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
    file: 'src/stream/chicken.ts',
    rule: 'import(no-cycle)',
    refused: ["import { egg } from './egg.ts';"],
    allowed: ['export const chicken = (): unknown => egg;'],
  },
  {
    file: 'src/stream/egg.ts',
    rule: 'import(no-cycle)',
    refused: ["import { chicken } from './chicken.ts';"],
    allowed: ['export const egg = (): unknown => chicken;'],
  },
];
