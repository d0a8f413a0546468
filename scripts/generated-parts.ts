import { PROBLEM_ADVICE } from '../src/http/api/problem-answers.ts';
import { STATUS } from '../src/http/problem.ts';
import { commandReference } from './command-reference.ts';
import { settingsTable } from './settings-table.ts';

/** A generated part of a document. It stands between two comments with its name. */
interface GeneratedPart {
  /** Relative to the project's folder. */
  readonly document: string;
  readonly name: string;
  readonly make: () => string;
}

export const generatedParts: readonly GeneratedPart[] = [
  { document: 'docs/operations.md', name: 'settings', make: settingsTable },
  { document: 'docs/protocol.md', name: 'problems', make: problemsTable },
  { document: 'docs/cli.md', name: 'commands', make: commandReference },
];

/** Replaces the part in the text of its document. @throws Error when the text lacks the part's two comments */
export function withPart(text: string, { document, name, make }: GeneratedPart): string {
  const [begin, end] = [`<!-- npm run docs: ${name} begin -->`, `<!-- npm run docs: ${name} end -->`];
  const [before, rest = ''] = text.split(begin);
  const [, after] = rest.split(end);
  if (before === undefined || after === undefined) throw new Error(`${document} has no ${begin} and ${end}.`);
  return `${before}${begin}\n\n${make()}\n\n${end}${after}`;
}

/** Makes a Markdown table of all error codes: code, HTTP status and what to do. */
function problemsTable(): string {
  const rows = Object.entries(PROBLEM_ADVICE).map(
    ([code, advice]) => `| \`${code}\` | ${STATUS[code as keyof typeof STATUS]} | ${advice} |`,
  );
  return ['| code | status | what to do |', '| --- | --- | --- |', ...rows].join('\n');
}
