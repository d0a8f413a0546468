import { button, element } from '../element.js';

/** @typedef {{ readonly row: HTMLTableRowElement, cells: readonly string[] }} ShownRow */

/**
 * A table whose rows are updated in place. A row with the keyboard's focus keeps it, also when the row moves.
 *
 * @template T
 */
export class DataTable {
  view;
  #body = element('tbody', '');
  #options;
  /** @type {Map<string, ShownRow>} */
  #rows = new Map();

  /**
   * @param {object} options
   * @param {string} options.label
   * @param {readonly string[]} options.columns Titles. One that begins with `#` is of numbers.
   * @param {(item: T) => string} options.keyOf
   * @param {(item: T) => readonly string[]} options.cellsOf
   * @param {(item: T) => string} [options.stateOf] for `data-state` of the row
   * @param {(key: string) => void} [options.onChosen] makes the first column buttons
   */
  constructor(options) {
    this.#options = options;
    const titles = options.columns.map((title) => {
      const cell = element('th', title.startsWith('#') ? 'number' : '', title.replace(/^#/, ''));
      cell.scope = 'col';
      return cell;
    });
    const table = element('table', '', element('thead', '', element('tr', '', ...titles)), this.#body);
    table.setAttribute('aria-label', options.label);
    // Scrolls by itself when it is wider than the page. The keyboard must reach it to scroll it: by its buttons, or itself.
    this.view = element('div', 'table', table);
    if (options.onChosen !== undefined) return;
    this.view.tabIndex = 0;
    this.view.setAttribute('role', 'region');
    this.view.setAttribute('aria-label', options.label);
  }

  /** @param {readonly T[]} items */
  show(items) {
    const focused = document.activeElement;
    /** @type {Map<string, ShownRow>} */
    const shown = new Map();
    const { keyOf, stateOf } = this.#options;
    for (const item of items) {
      // A channel may come twice while channels are added.
      const key = keyOf(item);
      if (shown.has(key)) continue;
      const kept = this.#rows.get(key) ?? { row: element('tr', ''), cells: [] };
      this.#fill(kept, item, key);
      if (stateOf !== undefined) kept.row.dataset['state'] = stateOf(item);
      shown.set(key, kept);
    }
    for (const [key, { row }] of this.#rows) if (!shown.has(key)) row.remove();
    this.#rows = shown;
    let index = 0;
    for (const { row } of shown.values()) {
      const there = this.#body.children[index++];
      if (there !== row) this.#body.insertBefore(row, there ?? null);
    }
    if (focused instanceof HTMLElement && focused !== document.activeElement && focused.isConnected)
      focused.focus({ preventScroll: true });
  }

  /**
   * Moves the keyboard's focus to the button of a row.
   *
   * @param {string} key
   */
  focus(key) {
    const chooser = this.#rows.get(key)?.row.querySelector('button');
    chooser?.focus();
    return chooser !== undefined && chooser !== null;
  }

  /**
   * @param {ShownRow} kept
   * @param {T} item
   * @param {string} key
   */
  #fill(kept, item, key) {
    const { cellsOf, columns, onChosen } = this.#options;
    const cells = cellsOf(item);
    for (const [index, cell] of cells.entries()) {
      if (kept.cells[index] === cell) continue;
      const there = kept.row.cells[index] ?? kept.row.insertCell();
      if (columns[index]?.startsWith('#')) there.className = 'number';
      if (index > 0 || onChosen === undefined) there.textContent = cell;
      else there.replaceChildren(button('chooser', cell, () => onChosen(key)));
    }
    kept.cells = cells;
  }
}
