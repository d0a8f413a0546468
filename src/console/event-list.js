import { byId, element } from './element.js';
import { EventRow } from './event-row.js';

/**
 * @typedef {import('./event-store.js').EventStore} EventStore
 * @typedef {import('./event-store.js').Row} Row
 */

/** The height of every row, in px, on a wide and on a narrow screen. events.css has the same. */
const WIDE_ROW_PX = 32;
const NARROW_ROW_PX = 52;
const narrow = matchMedia('(max-width: 56rem)');
/** How many rows are in the document above and below the visible ones. */
const MARGIN_ROWS = 6;

/**
 * The list of events, newest on top. Only the rows that are visible are in the document. The list draws once a frame, however
 * many events have come.
 */
export class EventList {
  #list = byId('events', HTMLElement);
  #canvas = element('div', 'canvas');
  /** @type {EventRow[]} */
  #rows = [];
  #store;
  #onSelect;
  #onOpen;
  #scheduled = false;
  /** Rows that have come on top since the last frame. */
  #added = 0;
  /** @type {Row | undefined} */
  #selected;
  /** Whether the details of the selected row are open. */
  isOpen = false;

  /**
   * @param {EventStore} store
   * @param {() => void} onSelect called when another row is selected, and when its details open or close
   * @param {() => void} onOpen called when a visitor opens the details of a row
   */
  constructor(store, onSelect, onOpen) {
    this.#store = store;
    this.#onSelect = onSelect;
    this.#onOpen = onOpen;
    this.#canvas.setAttribute('role', 'presentation');
    this.#list.append(this.#canvas);
    this.#list.addEventListener('scroll', () => this.draw(), { passive: true });
    this.#list.addEventListener('keydown', (pressed) => this.#handleKey(pressed));
    this.#list.addEventListener('click', ({ target }) => {
      const at = this.#rows.find(({ view }) => target instanceof Node && view.contains(target));
      if (at?.row === undefined) return;
      this.#open(this.#indexOf(at.row));
    });
    new ResizeObserver(() => this.draw()).observe(this.#list);
    document.addEventListener('visibilitychange', () => this.draw());
  }

  get selected() {
    return this.#selected;
  }

  /**
   * Draws in the next frame. A hidden page has no frames.
   *
   * @param {number} [added] rows that have come on top
   */
  draw(added = 0) {
    this.#added += added;
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#paint();
    });
  }

  /** Forgets the selection, and shows the newest rows. */
  reset() {
    this.#added = 0;
    this.#selected = undefined;
    this.isOpen = false;
    this.#list.scrollTop = 0;
    this.#onSelect();
    this.draw();
  }

  closeDetails() {
    this.isOpen = false;
    this.#onSelect();
    this.#list.focus({ preventScroll: true });
    // On a narrow screen the details are below the list, and the visitor has scrolled away from the row.
    const shown = this.#rows.find(({ row }) => row === this.#selected);
    (shown?.view ?? this.#list).scrollIntoView({ block: 'nearest' });
    this.draw();
  }

  get #rowPx() {
    return narrow.matches ? NARROW_ROW_PX : WIDE_ROW_PX;
  }

  #paint() {
    const rowPx = this.#rowPx;
    const { view } = this.#store;
    const size = view.length;
    this.#list.hidden = size === 0;
    this.#canvas.style.height = `${size * rowPx}px`;
    // The rows that a visitor reads stand still when others come on top of them.
    if (this.#added > 0 && this.#list.scrollTop > 0) this.#list.scrollTop += this.#added * rowPx;
    this.#added = 0;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / rowPx) - MARGIN_ROWS);
    const visible = Math.ceil(this.#list.clientHeight / rowPx) + 2 * MARGIN_ROWS;
    const count = Math.max(0, Math.min(visible, size - first));
    while (this.#rows.length > count) this.#rows.pop()?.view.remove();
    while (this.#rows.length < count) {
      const row = new EventRow();
      this.#rows.push(row);
      this.#canvas.append(row.view);
    }
    let active = '';
    for (const [at, shown] of this.#rows.entries()) {
      const row = view.at(first + at);
      if (row === undefined) continue;
      const isSelected = row === this.#selected;
      // The number keeps its stripe when rows come on top.
      const isStriped = row.number % 2 === 0;
      const index = first + at;
      shown.show(row, { index, size, top: index * rowPx, isSelected, isStriped });
      if (isSelected) active = shown.view.id;
    }
    if (active === '') this.#list.removeAttribute('aria-activedescendant');
    else this.#list.setAttribute('aria-activedescendant', active);
  }

  /** @param {KeyboardEvent} pressed */
  #handleKey(pressed) {
    const rowPx = this.#rowPx;
    if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
    const size = this.#store.view.length;
    const page = Math.max(1, Math.floor(this.#list.clientHeight / rowPx) - 1);
    const index = this.#selected === undefined ? -1 : this.#indexOf(this.#selected);
    switch (pressed.key) {
      case 'ArrowDown':
        this.#select(Math.min(size - 1, index + 1));
        break;
      case 'ArrowUp':
        this.#select(Math.max(0, index - 1));
        break;
      case 'PageDown':
        this.#select(Math.min(size - 1, index + page));
        break;
      case 'PageUp':
        this.#select(Math.max(0, index - page));
        break;
      case 'Home':
        this.#select(0);
        break;
      case 'End':
        this.#select(size - 1);
        break;
      case 'Enter':
      case ' ':
        this.#open(Math.max(0, index));
        break;
      case 'Escape':
        if (this.isOpen) this.closeDetails();
        break;
      default:
        return;
    }
    pressed.preventDefault();
  }

  /** @param {number} index */
  #open(index) {
    this.isOpen = true;
    this.#select(index);
    this.#onOpen();
  }

  /** @param {number} index */
  #select(index) {
    const row = this.#store.view.at(index);
    if (row === undefined) return;
    const rowPx = this.#rowPx;
    this.#selected = row;
    this.#onSelect();
    // The details may have made the list smaller.
    const top = index * rowPx;
    const { scrollTop, clientHeight } = this.#list;
    if (top < scrollTop) this.#list.scrollTop = top;
    else if (top + rowPx > scrollTop + clientHeight) this.#list.scrollTop = top + rowPx - clientHeight;
    this.draw();
  }

  /**
   * Where a row of the view is now. Rows only move down, and their numbers fall towards the bottom.
   *
   * @param {Row} row
   */
  #indexOf(row) {
    const { view } = this.#store;
    let low = 0;
    let high = view.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const number = view.at(middle)?.number ?? -1;
      if (number === row.number) return middle;
      if (number > row.number) low = middle + 1;
      else high = middle - 1;
    }
    // A filter has hidden it, or it was dropped.
    return -1;
  }
}
