import { element } from '../element.js';
import { clock, rate } from './figures.js';
import { HISTORY_S } from './rate-history.js';

/** @typedef {import('./rate-history.js').Sample} Sample */
/** @typedef {typeof import('uplot')} UPlot */

const HEIGHT_PX = 130;
/** The shortest time that a plot shows, in s. It grows with the samples. */
const LEAST_S = 60;
/** With this many samples and more, a plot is a line without points. */
const MANY_SAMPLES = 30;

const PLOTS = /** @type {const} */ ([
  { figure: 'published', title: 'Published', unit: 'events/s', color: '--hue-1' },
  { figure: 'delivered', title: 'Delivered', unit: 'events/s', color: '--hue-2' },
  { figure: 'connections', title: 'Connections', unit: 'open', color: '--hue-3' },
]);

/** Small plots of the last minutes. The figures are text, too: a reader of the page without its pictures misses nothing. */
export class RatePlots {
  view = element('div', 'plots');
  #figures = PLOTS.map((plot) => {
    const now = element('strong', '', '–');
    const title = element('h2', '', plot.title);
    const canvas = element('div', 'plot');
    canvas.setAttribute('role', 'img');
    const head = element('p', 'figure', now, ` ${plot.unit}`);
    this.view.append(element('section', 'card', title, head, canvas));
    const uplot = /** @type {InstanceType<UPlot> | undefined} */ (undefined);
    return Object.assign({ now, canvas, uplot }, plot);
  });
  /** @type {readonly Sample[]} */
  #samples = [];
  #loading = false;

  constructor() {
    for (const { canvas } of this.#figures) canvas.setAttribute('aria-label', 'No figures yet.');
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#redraw());
    new ResizeObserver(() => this.#resize()).observe(this.view);
  }

  /** @param {readonly Sample[]} samples */
  show(samples) {
    this.#samples = samples;
    for (const { figure, title, unit, now, canvas } of this.#figures) {
      const values = samples.map((sample) => sample[figure]).filter((value) => value !== null);
      now.textContent = rate(samples.at(-1)?.[figure]);
      canvas.setAttribute('aria-label', `${title}: ${spoken(values, unit)}`);
    }
    if (this.#loading) this.#draw();
    else void this.#load();
  }

  /** The page loads the library only when there is something to draw. Without the library, the figures stay. */
  async #load() {
    this.#loading = true;
    const module = new URL('../uplot/uPlot.esm.js', import.meta.url).href;
    const { default: UPlot } = /** @type {{ default: UPlot }} */ (await import(module));
    for (const plot of this.#figures) {
      plot.uplot = new UPlot(
        optionsOf(plot.color, widthOf(plot.canvas)),
        dataOf([], plot.figure),
        plot.canvas,
      );
    }
    this.#draw();
  }

  #draw() {
    for (const { uplot, figure } of this.#figures) uplot?.setData(dataOf(this.#samples, figure));
  }

  #redraw() {
    for (const { uplot } of this.#figures) uplot?.redraw();
  }

  #resize() {
    for (const { uplot, canvas } of this.#figures) {
      const width = widthOf(canvas);
      if (width > 0 && uplot !== undefined && uplot.width !== width)
        uplot.setSize({ width, height: HEIGHT_PX });
    }
  }
}

/**
 * @param {readonly number[]} values
 * @param {string} unit
 */
function spoken(values, unit) {
  const now = values.at(-1);
  if (now === undefined) return 'no figures yet.';
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${rate(now)} ${unit} now; from ${rate(least)} to ${rate(most)} in the last ${HISTORY_S / 60} minutes.`;
}

/** @param {HTMLElement} view */
function widthOf(view) {
  return Math.floor(view.clientWidth);
}

/**
 * @param {readonly Sample[]} samples
 * @param {typeof PLOTS[number]['figure']} figure
 * @returns {import('uplot').AlignedData}
 */
function dataOf(samples, figure) {
  return [samples.map(({ at }) => at), samples.map((sample) => sample[figure])];
}

/**
 * Colors are functions, so that each drawing reads them from the style sheet.
 *
 * @param {string} color
 * @param {number} width
 * @returns {import('uplot').Options}
 */
function optionsOf(color, width) {
  const axis = {
    stroke: colorOf('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: colorOf('--line'), width: 1 },
    ticks: { show: false },
  };
  return {
    width: Math.max(width, 1),
    height: HEIGHT_PX,
    padding: [8, 26, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: {
        time: true,
        range: (_plot, min, max) => {
          const end = Number.isFinite(max) ? max : Date.now() / 1_000;
          return [Math.min(Number.isFinite(min) ? min : end, end - LEAST_S), end];
        },
      },
      y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, size: 24, space: 70, values: (_plot, splits) => splits.map((at) => clock(at * 1_000)) },
      { ...axis, size: 44, space: 30, values: (_plot, splits) => splits.map(short) },
    ],
    series: [
      {},
      {
        stroke: colorOf(color),
        // Transparent, as the style sheet has colors of six digits.
        fill: () => `${colorOf(color)()}26`,
        width: 2,
        points: {
          // A line needs two samples.
          show: (plot) => plot.data[0].length < MANY_SAMPLES,
          size: 5,
          width: 1,
          fill: colorOf(color),
        },
      },
    ],
  };
}

/** @param {string} name of a custom property of the style sheet */
function colorOf(name) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** @param {number} value */
function short(value) {
  return value.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 });
}
