import { BREACHES, FIGURES, formatFigure } from './figures.ts';
import type { FigureName } from './figures.ts';
import type { Outcome } from './outcome.ts';

/** One figure of one system. */
interface Cell {
  readonly row: string;
  readonly column: string;
  readonly value: number;
}

interface Row {
  readonly name: string;
  readonly moreIsBetter: boolean;
  readonly digits: (value: number) => string;
}

/** What a measurement of `npm run bench` is told by: the scenario and the figure. */
const TOLD: readonly (readonly [scenario: string, figure: FigureName])[] = [
  ['steady', 'cpuPerDelivery'],
  ['steady', 'p99'],
  ['hot', 'cpuPerDelivery'],
  ['hot', 'p99'],
  ['large', 'cpuPerDelivery'],
  ['burst', 'deliveriesPerSecond'],
  ['burst', 'cpuPerDelivery'],
  ['channels', 'cpuPerPublish'],
  ['channels', 'redisCpuPerPublish'],
  ['ingest', 'publishesPerSecond'],
  ['ingest', 'cpuPerPublish'],
  ['single', 'ackP50'],
  ['batch', 'publishesPerSecond'],
  ['idle', 'kibPerConnection'],
  ['idle', 'cpuPerConnect'],
  ['idle', 'restPerConnection'],
  ['replay-storm', 'caughtUpAll'],
  ['storm', 'caughtUpAll'],
  ['storm', 'stormCpu'],
  ['storm', 'peakMemory'],
  ['storm', 'probeP99'],
  ['json', 'cpuPerDelivery'],
  ['json', 'bytesPerDelivery'],
  ['json', 'kibPerConnection'],
  ['compressed', 'cpuPerDelivery'],
  ['compressed', 'bytesPerDelivery'],
  ['compressed', 'kibPerConnection'],
  ['many', 'cpuPerDelivery'],
  ['many', 'kibPerConnection'],
];

/** The figures of the C load generator, whose lines of JSON have `scenario`, `system` and these names. */
const LINES: readonly (readonly [scenario: string, field: string, figure: FigureName])[] = [
  ['steady', 'CPUus/deliv', 'cpuPerDelivery'],
  ['steady', 'p99ms', 'p99'],
  ['hot', 'CPUus/deliv', 'cpuPerDelivery'],
  ['large', 'CPUus/deliv', 'cpuPerDelivery'],
  ['burst', 'deliv/s', 'deliveriesPerSecond'],
  ['burst', 'CPUus/deliv', 'cpuPerDelivery'],
  ['channels', 'CPUus/deliv', 'cpuPerPublish'],
  ['ingest', 'pub/s', 'publishesPerSecond'],
  ['idle', 'KiB/conn', 'kibPerConnection'],
  ['idle', 'connCPUus', 'cpuPerConnect'],
];

const MORE_IS_BETTER: ReadonlySet<FigureName> = new Set(['deliveriesPerSecond', 'publishesPerSecond']);

function rowOf(scenario: string, figure: FigureName): Row {
  const { title, unit } = FIGURES[figure];
  return {
    name: `${scenario}: ${title}`,
    moreIsBetter: MORE_IS_BETTER.has(figure),
    digits: (value) => `${formatFigure(value)}${unit === '' ? '' : ` ${unit}`}`,
  };
}

function isOurs(column: string): boolean {
  return column.startsWith('sluice');
}

/**
 * Makes a table with a row for each figure. When there are others, a last column compares the first of Sluice's columns with
 * the best of them, and the row in which Sluice is worst comes first.
 */
function tableOf(rows: readonly Row[], columns: readonly string[], cells: readonly Cell[]): string {
  const value = (row: string, column: string): number | undefined =>
    cells.find((cell) => cell.row === row && cell.column === column)?.value;
  const ours = columns.find(isOurs);
  const others = columns.filter((column) => !isOurs(column) && column !== 'floor');
  const compared = ours !== undefined && others.length > 0;
  const told = rows
    .filter(({ name }) => cells.some(({ row }) => row === name))
    .map((row) => {
      const theirs = others.map((column) => value(row.name, column)).filter((one) => one !== undefined);
      const best = row.moreIsBetter ? Math.max(...theirs) : Math.min(...theirs);
      const own = value(row.name, ours ?? '') ?? Number.NaN;
      const ratio = theirs.length === 0 ? Number.NaN : own / best;
      // How many times as bad as the best.
      return { row, ratio, worse: Number.isNaN(ratio) ? 0 : row.moreIsBetter ? 1 / ratio : ratio };
    });
  if (compared) told.sort((a, b) => b.worse - a.worse);
  const head = ['', ...columns, ...(compared ? [`${ours} to the best other`] : [])];
  const lines = told.map(({ row, ratio, worse }) => {
    const line = [row.name];
    for (const column of columns) {
      const one = value(row.name, column);
      line.push(one === undefined ? '' : row.digits(one));
    }
    if (compared)
      line.push(Number.isNaN(ratio) ? '' : worse > 1 ? `**${formatFigure(ratio)}**` : formatFigure(ratio));
    return line;
  });
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** Tables of `npm run bench`: Sluice alone with each log, and for each log the systems that have it beside each other. */
export function benchTables(outcomes: readonly Outcome[]): Readonly<Record<string, string>> {
  const systems = [...new Set(outcomes.map(({ system }) => system))];
  const logs = [...new Set(outcomes.map(({ log }) => log))];
  const rows = TOLD.map(([scenario, figure]) => rowOf(scenario, figure));
  const cells = (of: readonly Outcome[], column: (outcome: Outcome) => string): Cell[] =>
    of.flatMap((outcome) =>
      TOLD.filter(([scenario]) => scenario === outcome.scenario).flatMap(([scenario, figure]) => {
        const value = outcome.figures[figure];
        if (value === undefined || value === null || Number.isNaN(value)) return [];
        return [{ row: rowOf(scenario, figure).name, column: column(outcome), value }];
      }),
    );
  const tables: Record<string, string> = {
    sluice: tableOf(
      rows,
      logs,
      cells(
        outcomes.filter(({ system }) => system === 'sluice'),
        ({ log }) => log,
      ),
    ),
  };
  for (const log of logs) {
    const here = outcomes.filter((outcome) => outcome.log === log);
    const columns = systems.filter((system) => here.some((outcome) => outcome.system === system));
    const table = tableOf(
      rows,
      columns,
      cells(here, ({ system }) => system),
    );
    tables[log] = [table, ...brokenOnes(here)].join('\n\n');
  }
  return tables;
}

/** Says what was lost, repeated, reordered or refused, because figures of such a run say little. */
function brokenOnes(outcomes: readonly Outcome[]): string[] {
  const said = outcomes.flatMap(({ system, scenario, figures }) =>
    BREACHES.filter((name) => (figures[name] ?? 0) > 0).map(
      (name) => `${system} in ${scenario}: ${formatFigure(figures[name])} ${FIGURES[name].title}`,
    ),
  );
  return said.length === 0 ? [] : [`Not clean: ${said.join('; ')}.`];
}

/** The table of the C load generator. */
export function linesTable(text: string): string {
  const cells: Cell[] = [];
  const columns: string[] = [];
  for (const line of text.split('\n').filter((one) => one.startsWith('{'))) {
    // Python writes NaN for what it does not know.
    const measured = JSON.parse(line.replaceAll(/\bNaN\b/g, 'null')) as Readonly<
      Record<string, string | number | null>
    >;
    const column = String(measured['system']);
    if (!columns.includes(column)) columns.push(column);
    for (const [scenario, field, figure] of LINES) {
      const value = measured[field];
      if (measured['scenario'] === scenario && typeof value === 'number')
        cells.push({ row: rowOf(scenario, figure).name, column, value });
    }
  }
  const rows = LINES.map(([scenario, , figure]) => rowOf(scenario, figure));
  const withRedis = columns.filter((column) => column.includes('-redis'));
  const alone = columns.filter((column) => !withRedis.includes(column));
  return [alone, withRedis]
    .filter((some) => some.length > 0)
    .map((some) =>
      tableOf(
        rows,
        some,
        cells.filter(({ column }) => some.includes(column)),
      ),
    )
    .join('\n\n');
}
