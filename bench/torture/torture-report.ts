import type { TortureOutcome } from './run-torture.ts';
import { sumOfCounts } from './verdict.ts';
import type { DeliveryCounts } from './verdict.ts';

/** The sum over all readers of one scenario. */
interface Totals extends DeliveryCounts {
  readonly gapsTold: number;
  readonly gaveUp: number;
  /** In s; undefined when there was no fault. */
  readonly healMedian: number | undefined;
  readonly healMax: number | undefined;
  /** How many times a reader was never up to date again. */
  readonly neverHealed: number;
}

function totalsOf({ readers }: TortureOutcome): Totals {
  const heals = readers.flatMap((one) => one.heals);
  const healed = heals.filter((ms) => ms !== null).toSorted((a, b) => a - b);
  return {
    ...sumOfCounts(readers),
    gapsTold: readers.reduce((total, { gapsTold }) => total + gapsTold, 0),
    gaveUp: readers.filter((one) => one.gaveUp !== undefined).length,
    healMedian: healed[Math.floor(healed.length / 2)],
    healMax: healed.at(-1),
    neverHealed: heals.length - healed.length,
  };
}

/** Whether something is missing in silence, came twice or out of order, or the scenario failed. */
export function isBroken(outcome: TortureOutcome): boolean {
  if (outcome.failed !== undefined) return true;
  const { missingInSilence, twice, outOfOrder } = totalsOf(outcome);
  return missingInSilence + twice + outOfOrder > 0;
}

/** A Markdown table with all figures, one row for each scenario of each system. */
export function figuresTable(outcomes: readonly TortureOutcome[]): string {
  const head = [
    'system',
    'scenario',
    'published',
    'delivered',
    'missing in silence',
    'missing, told',
    'twice',
  ];
  head.push('out of order', 'gaps told', 'gave up', 'heals in s, median', 'max', 'notes');
  return table(head, outcomes.map(figuresRow));
}

function figuresRow(outcome: TortureOutcome): string[] {
  const { system, scenario, notTried, failed } = outcome;
  if (notTried !== undefined || failed !== undefined) {
    const why = notTried === undefined ? `failed: ${oneLine(failed ?? '')}` : `not tried: ${notTried}`;
    return [system, scenario, ...Array.from({ length: 10 }, () => '–'), why];
  }
  const totals = totalsOf(outcome);
  return [
    system,
    scenario,
    String(outcome.published),
    `${totals.delivered} of ${outcome.published * outcome.readers.length}`,
    String(totals.missingInSilence),
    String(totals.missingInGaps),
    String(totals.twice),
    String(totals.outOfOrder),
    String(totals.gapsTold),
    String(totals.gaveUp),
    seconds(totals.healMedian),
    seconds(totals.healMax),
    notesOf(outcome, totals).join('; '),
  ];
}

function notesOf({ interrupted, notes, readers }: TortureOutcome, totals: Totals): string[] {
  const reasons = new Set(readers.flatMap(({ gaveUp }) => (gaveUp === undefined ? [] : [gaveUp])));
  return [
    ...(interrupted === true ? ['interrupted: what was under way counts as missing'] : []),
    ...(totals.neverHealed > 0 ? [`never up to date again: ${totals.neverHealed}`] : []),
    ...(totals.twiceSentAgain > 0
      ? [`of the events twice, ${totals.twiceSentAgain} were published again`]
      : []),
    ...[...reasons].map((why) => `gave up after ${oneLine(why)}`),
    ...new Set(notes),
  ];
}

/** A short Markdown table, one row for each system and one column for each scenario. */
export function summaryTable(outcomes: readonly TortureOutcome[]): string {
  const systems = [...new Set(outcomes.map(({ system }) => system))];
  const scenarios = [...new Set(outcomes.map(({ scenario }) => scenario))];
  const rows = systems.map((system) =>
    [system].concat(
      scenarios.map((scenario) =>
        summaryOf(outcomes.find((one) => one.system === system && one.scenario === scenario)),
      ),
    ),
  );
  return table(['system', ...scenarios], rows);
}

function summaryOf(outcome: TortureOutcome | undefined): string {
  if (outcome === undefined || outcome.notTried !== undefined) return '–';
  if (outcome.failed !== undefined) return 'failed';
  const totals = totalsOf(outcome);
  const all = outcome.published * outcome.readers.length;
  const share = (count: number): string =>
    count < all / 1_000 ? String(count) : `${((count / all) * 100).toFixed(1)} %`;
  const parts = [
    ...(totals.missingInSilence > 0 ? [`**${share(totals.missingInSilence)} missing**`] : []),
    ...(totals.missingInGaps > 0 ? [`${share(totals.missingInGaps)} missing and told`] : []),
    ...(totals.twice > 0 ? [`**${share(totals.twice)} twice**`] : []),
    ...(totals.outOfOrder > 0 ? [`**${share(totals.outOfOrder)} out of order**`] : []),
    ...(totals.gaveUp > 0 ? [`${totals.gaveUp} gave up`] : []),
    ...(totals.healMax === undefined ? [] : [`${seconds(totals.healMedian)} / ${seconds(totals.healMax)} s`]),
  ];
  return parts.join(', ');
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : (ms / 1_000).toFixed(1);
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(0, 200);
}

/** Aligned for reading in a terminal. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line), ''].join('\n');
}
