import { byId } from './element.js';
import { EventDetails } from './event-details.js';
import { EventList } from './event-list.js';
import { EventStore } from './event-store.js';
import { copyText, saveFile } from './take-away.js';

/**
 * @typedef {import('./event-store.js').NewRow} NewRow
 * @typedef {import('./event-store.js').Row} Row
 */

/** The clipboard gets no more than this, in characters. */
const MAX_COPIED = 2_000_000;
/** How long the page works on a file before it lets other work in, in ms. */
const SAVE_MS = 8;

/** The events of the view: the list, its filter, and what can be done with both. */
export class EventsView {
  #card = byId('events-card', HTMLElement);
  #count = byId('count', HTMLElement);
  #empty = byId('empty', HTMLElement);
  #filter = byId('filter', HTMLInputElement);
  #pause = byId('pause', HTMLButtonElement);
  #clear = byId('clear', HTMLButtonElement);
  #copy = byId('copy-events', HTMLButtonElement);
  #save = byId('save-events', HTMLButtonElement);
  #result = byId('export-result', HTMLElement);
  #store = new EventStore(() => this.#update());
  #list = new EventList(
    this.#store,
    () => this.#details.show(this.#list.isOpen ? this.#list.selected : undefined),
    () => this.#details.scrollIntoView(),
  );
  #details = new EventDetails(() => this.#list.closeDetails());
  #scheduled = false;
  #hint = '';

  constructor() {
    this.#filter.addEventListener('input', () => {
      this.#store.setFilter(this.#filter.value);
      this.#list.reset();
    });
    this.#pause.addEventListener('click', () => this.#store.setPaused(!this.#store.isPaused));
    this.#clear.addEventListener('click', () => this.clear());
    this.#copy.addEventListener('click', () => void this.#copyEvents());
    this.#save.addEventListener('click', () => void this.#saveEvents());
    document.addEventListener('visibilitychange', () => this.#update());
  }

  /** @param {NewRow} row */
  add(row) {
    this.#list.draw(this.#store.add(row));
  }

  /** @param {boolean} areShown whether the rows name their channels */
  showChannels(areShown) {
    this.#card.classList.toggle('with-channels', areShown);
  }

  /** @param {string} [hint] shown while the list is empty */
  clear(hint) {
    if (hint !== undefined) this.#hint = hint;
    this.#store.clear();
    this.#list.reset();
  }

  /** Once a frame, however many events have come. */
  #update() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#paint();
    });
  }

  #paint() {
    const store = this.#store;
    const shown = store.view.length;
    this.#list.draw();
    this.#empty.hidden = shown > 0 || store.isScanning;
    this.#empty.textContent = store.isEmpty ? this.#hint : 'Nothing matches the filter.';
    this.#clear.disabled = store.isEmpty;
    this.#copy.disabled = this.#save.disabled = shown === 0;
    this.#pause.textContent = store.isPaused
      ? `Resume${store.pending > 0 ? ` (${store.pending.toLocaleString()} new)` : ''}`
      : 'Pause';
    this.#pause.setAttribute('aria-pressed', String(store.isPaused));
    const { received, dropped } = store;
    this.#count.textContent = [
      ...(store.isEmpty && received === 0 ? [] : [`${received.toLocaleString()} received`]),
      ...(dropped > 0 ? [`oldest ${dropped.toLocaleString()} dropped`] : []),
      ...(store.isFiltered ? [`${shown.toLocaleString()} match${shown === 1 ? 'es' : ''}`] : []),
    ].join(', ');
  }

  /** The events that the filter lets through, newest first. */
  *#events() {
    const { view } = this.#store;
    for (let at = view.length - 1; at >= 0; at--) {
      const row = view.at(at);
      if (row?.kind === 'event') yield row;
    }
  }

  async #copyEvents() {
    let text = '';
    for (const row of this.#events()) {
      text += lineOf(row);
      if (text.length > MAX_COPIED) {
        this.#result.textContent = 'This is too much for the clipboard. Save it instead, or filter.';
        return;
      }
    }
    const copied = await copyText(text);
    this.#result.textContent = copied ? 'Copied as NDJSON.' : 'The browser does not allow it.';
  }

  async #saveEvents() {
    /** @type {string[]} */
    const parts = [];
    let end = performance.now() + SAVE_MS;
    // New events go on coming meanwhile, and the file has those of this moment.
    const rows = Array.from(this.#events());
    for (const row of rows) {
      parts.push(lineOf(row));
      if (performance.now() < end) continue;
      await new Promise((resolve) => setTimeout(resolve));
      end = performance.now() + SAVE_MS;
    }
    saveFile('events.ndjson', parts, 'application/x-ndjson');
    this.#result.textContent = `Saved ${parts.length.toLocaleString()} events as NDJSON.`;
  }
}

/** @param {Row} row */
function lineOf({ channel, id, type, data }) {
  return `${JSON.stringify({ channel, id, event: type, data })}\n`;
}
