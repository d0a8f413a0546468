import { BREACHES, FIGURES, formatFigure } from './figures.ts';
import type { FigureName, Figures } from './figures.ts';
import type { Scenario } from './scenario.ts';

/** All runs of one scenario on one system. */
export interface Outcome {
  readonly scenario: string;
  readonly system: string;
  readonly log: string;
  /** How many connections the scenario was cut to, because the limit of open files is too low. */
  readonly cutTo?: number;
  /** Medians over the runs. For figures that must be 0, the worst. */
  readonly figures: Figures;
  readonly runs: readonly Figures[];
}

/** Whether a figure of Sluice is not 0 that must be 0. */
export function isBreach({ system, figures }: Outcome): boolean {
  return system.startsWith('sluice') && BREACHES.some((name) => (figures[name] ?? 0) !== 0);
}

/** Makes a Markdown table of the outcomes of one scenario, aligned for reading in a terminal. */
export function outcomeTable(scenario: Scenario, outcomes: readonly Outcome[]): string {
  const columns: FigureName[] = [...scenario.columns, ...BREACHES, 'loader'];
  const used = columns.filter((name) => outcomes.some(({ figures }) => figures[name] !== undefined));
  const head = [
    'system',
    'log',
    ...used.map((name) => {
      const { title, unit } = FIGURES[name];
      return unit === '' ? title : `${title}, ${unit}`;
    }),
  ];
  const rows = outcomes.map(({ system, log, figures }) => [
    system,
    log,
    ...used.map((name) => formatFigure(figures[name])),
  ]);
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [`**${scenario.name}**: ${scenario.about}`, '', line(head), rule, ...rows.map(line), ''].join('\n');
}
