import { element } from './element.js';

/** @typedef {import('./event-store.js').Row} Row */

/** How many characters of the data a row shows in its one line. */
const PREVIEW_CHARACTERS = 300;
const HUES = 6;

const clock = new Intl.DateTimeFormat(undefined, {
  hourCycle: 'h23',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

/** A row of the list in the document. The list uses it again for other rows as it scrolls. */
export class EventRow {
  #time = element('time', 'time');
  #channel = element('span', 'channel');
  #type = element('span', 'type');
  #id = element('code', 'id');
  #data = element('span', 'preview');
  view = element('div', 'event-row', this.#time, this.#channel, this.#type, this.#data, this.#id);
  /** @type {Row | undefined} */
  row;

  constructor() {
    this.view.setAttribute('role', 'option');
  }

  /**
   * @param {Row} row
   * @param {{ index: number, size: number, top: number, isSelected: boolean, isStriped: boolean }} place
   */
  show(row, { index, size, top, isSelected, isStriped }) {
    this.view.style.transform = `translateY(${top}px)`;
    this.view.setAttribute('aria-posinset', String(index + 1));
    this.view.setAttribute('aria-setsize', String(size));
    this.view.setAttribute('aria-selected', String(isSelected));
    this.view.classList.toggle('striped', isStriped);
    if (this.row === row) return;
    this.row = row;
    const isEvent = row.kind === 'event';
    this.view.id = `row-${row.number}`;
    this.view.className = `event-row ${isEvent ? 'event' : `notice ${row.kind}`}${isStriped ? ' striped' : ''}`;
    this.#time.textContent = clock.format(row.time);
    this.#time.dateTime = new Date(row.time).toISOString();
    this.#channel.textContent = row.channel;
    this.#type.textContent = isEvent ? row.type : '';
    this.#type.className = `type hue-${hueOf(row.type)}`;
    this.#data.textContent = previewOf(row.data);
    this.#id.textContent = isEvent ? row.id : '';
  }
}

/** @param {string} data */
function previewOf(data) {
  return data.slice(0, PREVIEW_CHARACTERS).replaceAll(/\s+/g, ' ');
}

/** @param {string} type */
export function hueOf(type) {
  let hash = 0;
  for (let i = 0; i < type.length; i++) hash = (hash * 31 + type.charCodeAt(i)) >>> 0;
  return type === 'message' ? 0 : 1 + (hash % (HUES - 1));
}
