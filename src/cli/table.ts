import type { CliOutput } from './context.ts';
import { displayWidth, printable, truncate } from './terminal-text.ts';

export interface Column {
  readonly title: string;
  /** Numbers are easier to compare when they end in the same column. */
  readonly alignRight?: boolean;
}

const GAP = '  ';
/** A column is not cut to fewer characters than these. */
const MIN_WIDTH = 8;

/**
 * The lines of a table. On a terminal that is too narrow, the widest columns are cut; when that does not help, each row
 * becomes lines of `title: value`. An output that is no terminal gets all of each value.
 */
export function table(
  output: CliOutput,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  const cells = rows.map((row) => row.map((cell) => printable(cell)));
  const wanted = columns.map(({ title }, at) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[at] ?? ''))),
  );
  const widths = fit(wanted, output.columns);
  if (widths === undefined) return records(output, columns, cells);
  const line = (row: readonly string[], style: (text: string) => string): string =>
    columns
      .map(({ alignRight = false }, at) => {
        const width = widths[at] ?? 0;
        const text = truncate(row[at] ?? '', width);
        const padding = ' '.repeat(width - displayWidth(text));
        if (alignRight) return padding + style(text);
        return at === columns.length - 1 ? style(text) : style(text) + padding;
      })
      .join(GAP);
  const head = line(
    columns.map(({ title }) => title),
    (text) => output.style('bold', text),
  );
  return [head, ...cells.map((row) => line(row, (text) => text))];
}

/** Cuts the widest columns until all of them fit. Undefined when they cannot fit. */
function fit(wanted: readonly number[], columns: number | undefined): readonly number[] | undefined {
  if (columns === undefined) return wanted;
  const room = columns - GAP.length * (wanted.length - 1);
  const least = wanted.map((width) => Math.min(width, MIN_WIDTH));
  if (sum(least) > room) return undefined;
  // The largest limit on every column with which the table fits.
  let limit = Math.max(...wanted);
  while (limit > MIN_WIDTH && sum(wanted.map((width) => Math.min(width, limit))) > room) limit--;
  return wanted.map((width) => Math.min(width, limit));
}

function records(
  output: CliOutput,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string[] {
  return rows.flatMap((row, index) => [
    ...(index === 0 ? [] : ['']),
    ...columns.map(({ title }, at) => `${output.style('bold', `${title}:`)} ${row[at] ?? ''}`),
  ]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
