import { BREACHES, FIGURES, formatFigure } from './figures.ts';
import type { Outcome } from './outcome.ts';
import type { Scenario } from './scenario.ts';

/** The machine of the measurement. The chart shows it at the bottom. */
export interface Machine {
  readonly at: string;
  readonly node: string;
  readonly processor: string;
  readonly cores: number;
}

const COLUMNS = 2;
const PANEL = 470;
const GUTTER = 40;
const MARGIN = 32;
const LABELS = 150;
const VALUES = 90;
const ROW = 24;
const BAR = 14;
const PANEL_HEAD = 62;
const PANEL_FOOT = 26;
const TITLE = 74;

/** The colours follow the page's colour scheme, because a README is shown light and dark. */
const STYLE = `
  svg { --paper: #ffffff; --ink: #1f2328; --faint: #656d76; --line: #d8dee4; --ours: #0b6bcb; --others: #8c959f; --wrong: #c0362c;
    font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0d1117; --ink: #e6edf3; --faint: #8d96a0; --line: #30363d; --ours: #58a6ff; --others: #6e7681; --wrong: #ff7b72; }
  }
  .paper { fill: var(--paper); } text { fill: var(--ink); } .faint { fill: var(--faint); font-size: 12px; }
  .title { font-size: 20px; font-weight: 600; } .name { font-size: 15px; font-weight: 600; }
  .axis { stroke: var(--line); } .ours { fill: var(--ours); } .others { fill: var(--others); }
  .wrong { fill: var(--wrong); } .value { font-variant-numeric: tabular-nums; }`;

/** Draws one panel for each scenario, with one bar for each system. Returns an SVG, or a page that holds only the SVG. */
export function drawChart(
  scenarios: readonly Scenario[],
  outcomes: readonly Outcome[],
  machine: Machine,
  asPage: boolean,
): string {
  const shown = scenarios.filter(({ name }) => outcomes.some(({ scenario }) => scenario === name));
  const rows = Array.from({ length: Math.ceil(shown.length / COLUMNS) }, (_, row) =>
    shown.slice(row * COLUMNS, (row + 1) * COLUMNS),
  );
  const columns = Math.min(COLUMNS, Math.max(1, shown.length));
  const width = MARGIN * 2 + columns * PANEL + (columns - 1) * GUTTER;
  let y = TITLE;
  const panels: string[] = [];
  for (const row of rows) {
    const of = (scenario: Scenario): Outcome[] => outcomes.filter((one) => one.scenario === scenario.name);
    for (const [column, scenario] of row.entries())
      panels.push(panel(scenario, of(scenario), MARGIN + column * (PANEL + GUTTER), y));
    y += PANEL_HEAD + PANEL_FOOT + ROW * Math.max(...row.map((scenario) => of(scenario).length));
  }
  const { at, node, processor, cores } = machine;
  const origin = `Measured ${at.slice(0, 10)} on ${cores} cores of ${processor}, Node ${node}, over loopback. Events have 100 bytes where no size is named.`;
  const height = y + 30;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Sluice measured">
<style>${STYLE}</style>
<rect class="paper" width="${width}" height="${height}"/>
<text class="title" x="${MARGIN}" y="40">Sluice, measured</text>
${panels.join('\n')}
<text class="faint" x="${MARGIN}" y="${y + 10}">${escaped(origin)}</text>
</svg>
`;
  if (!asPage) return svg;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sluice, measured</title>
<meta name="color-scheme" content="light dark">
<style>body { margin: 0; display: grid; place-items: center; } svg { max-width: 100%; height: auto; }</style>
${svg}</html>
`;
}

function panel(scenario: Scenario, outcomes: readonly Outcome[], x: number, y: number): string {
  const { headline, moreIsBetter } = scenario;
  const { title, unit } = FIGURES[headline];
  const values = outcomes.map(({ figures }) => figures[headline]).filter((value) => Number.isFinite(value));
  const most = Math.max(...values.map(Number), Number.MIN_VALUE);
  const room = PANEL - LABELS - VALUES;
  const figure = unit === '' ? title : `${title} in ${unit}`;
  const bars = outcomes.map((outcome, index) => {
    const value = outcome.figures[headline];
    const length = Number.isFinite(value) ? Math.max(1, (Number(value) / most) * room) : 0;
    const top = y + PANEL_HEAD + index * ROW;
    const base = top + BAR - 2;
    const breaches = BREACHES.filter((name) => (outcome.figures[name] ?? 0) > 0);
    const said =
      breaches.length === 0
        ? `<tspan class="value">${formatFigure(value)}</tspan>`
        : `<tspan class="value">${formatFigure(value)}</tspan> <tspan class="wrong">${breaches.join(', ')}</tspan>`;
    const kind = outcome.system.startsWith('sluice') ? 'ours' : 'others';
    return `<text x="${x + LABELS - 10}" y="${base}" text-anchor="end">${escaped(`${outcome.system} · ${outcome.log}`)}</text>
<rect class="${kind}" x="${x + LABELS}" y="${top}" width="${length.toFixed(1)}" height="${BAR}" rx="2"/>
<text x="${(x + LABELS + length + 7).toFixed(1)}" y="${base}">${said}</text>`;
  });
  const bottom = y + PANEL_HEAD + outcomes.length * ROW;
  return `<g>
<text class="name" x="${x}" y="${y + 18}">${escaped(scenario.name)}: ${escaped(figure)}, ${moreIsBetter ? 'more' : 'less'} is better</text>
<text class="faint" x="${x}" y="${y + 38}">${escaped(scenario.about)}</text>
<line class="axis" x1="${x + LABELS}" x2="${x + LABELS}" y1="${y + PANEL_HEAD - 6}" y2="${bottom - 2}"/>
${bars.join('\n')}
</g>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
