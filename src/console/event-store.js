import { filterOf } from './event-filter.js';
import { NewestFirst } from './newest-first.js';

/**
 * A row of the list: an event of a channel, or a notice of the page about a channel or the connection.
 *
 * @typedef {object} Row
 * @property {number} number consecutive
 * @property {'event' | 'note' | 'ready' | 'gap' | 'end' | 'refused'} kind
 * @property {string} channel empty for a notice about the whole connection
 * @property {string} type
 * @property {string} id empty for a notice without one
 * @property {string} data of a notice: its text
 * @property {number} time in ms since 1970
 * @typedef {Omit<Row, 'number'>} NewRow
 */

const MAX_ROWS = 50_000;
/** The bound of all data together, in characters. */
const MAX_CHARACTERS = 64 * 1024 * 1024;
/** What a row takes besides its texts, in characters. */
const ROW_CHARACTERS = 100;
/** How long a scan may hold the page, in ms. The next part of the scan follows in another task. */
const SCAN_MS = 8;

/** Keeps the newest rows within bounds, and finds those that match a filter. */
export class EventStore {
  /** @type {NewestFirst<Row>} */
  #rows = new NewestFirst();
  /**
   * The rows that match the filter. While the view is paused, it lacks the newest.
   *
   * @type {NewestFirst<Row>}
   */
  #view = new NewestFirst();
  #filter = filterOf('');
  #numbers = 0;
  #characters = 0;
  /** Replaced by each new scan, which so ends the scan before. */
  #scan = {};
  #onChange;
  received = 0;
  /** How many events were dropped because there was no room. */
  dropped = 0;
  /** How many matching rows a paused view lacks. */
  pending = 0;
  isPaused = false;
  isScanning = false;

  /** @param {() => void} onChange called often: whoever draws does so once a frame */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  get view() {
    return this.#view;
  }

  get isEmpty() {
    return this.#rows.length === 0;
  }

  get isFiltered() {
    return !this.#filter.isEmpty;
  }

  /**
   * @param {NewRow} row
   * @returns {number} how many rows were added to the view
   */
  add(row) {
    const added = { ...row, number: this.#numbers++ };
    this.#rows.addNewest(added);
    this.#characters += sizeOf(added);
    if (row.kind === 'event') this.received++;
    const matches = this.#filter.matches(added);
    if (matches && this.isPaused) this.pending++;
    else if (matches) this.#view.addNewest(added);
    this.#dropOldest();
    this.#onChange();
    return matches && !this.isPaused ? 1 : 0;
  }

  clear() {
    this.#scan = {};
    this.#rows.clear();
    this.#view.clear();
    this.#characters = this.received = this.dropped = this.pending = 0;
    this.isScanning = false;
    this.#onChange();
  }

  /** @param {string} text */
  setFilter(text) {
    this.#filter = filterOf(text);
    this.#find();
  }

  /** @param {boolean} isPaused */
  setPaused(isPaused) {
    this.isPaused = isPaused;
    if (!isPaused) this.#find();
    this.#onChange();
  }

  #dropOldest() {
    while (this.#rows.length > MAX_ROWS || (this.#characters > MAX_CHARACTERS && this.#rows.length > 1)) {
      const oldest = this.#rows.removeOldest();
      if (oldest === undefined) return;
      this.#characters -= sizeOf(oldest);
      if (oldest.kind === 'event') this.dropped++;
      const { length } = this.#view;
      if (length > 0 && this.#view.at(length - 1)?.number === oldest.number) this.#view.removeOldest();
    }
  }

  /** Fills the view anew, newest first, in parts that leave the page time for other work. */
  #find() {
    const scan = {};
    this.#scan = scan;
    this.#view.clear();
    this.pending = 0;
    this.isScanning = true;
    let number = this.#numbers - 1;
    const run = () => {
      if (this.#scan !== scan) return;
      const end = performance.now() + SCAN_MS;
      for (; performance.now() < end; number--) {
        // Rows have consecutive numbers, and the newest is at 0.
        const row = this.#rows.at(this.#numbers - 1 - number);
        if (row === undefined) {
          this.isScanning = false;
          this.#onChange();
          return;
        }
        if (this.#filter.matches(row)) this.#view.addOldest(row);
      }
      this.#onChange();
      setTimeout(run);
    };
    run();
  }
}

/** @param {Row} row */
function sizeOf(row) {
  return row.data.length + row.type.length + ROW_CHARACTERS;
}
