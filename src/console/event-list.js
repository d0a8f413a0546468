import { byId, element } from './element.js';
import { record } from './json-value.js';

/** @typedef {import('./event-stream.js').StreamEvent} StreamEvent */

const MAX_ROWS = 500;
/** How many characters of an event's data are shown. 500 large events would block the page. */
const MAX_SHOWN = 10_000;
const HUES = 6;

const clock = new Intl.DateTimeFormat(undefined, {
  hourCycle: 'h23',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});

/** Shows the newest rows on top, and removes the oldest when there are too many. */
export class EventList {
  #list = byId('events', HTMLOListElement);
  #count = byId('count', HTMLElement);
  #empty = byId('empty', HTMLElement);
  #clear = byId('clear', HTMLButtonElement);
  /** @type {HTMLElement[]} */
  #waiting = [];
  #scheduled = false;
  #received = 0;

  constructor() {
    this.#clear.addEventListener('click', () => this.clear());
    document.addEventListener('visibilitychange', () => this.#schedule());
  }

  /** @param {StreamEvent} event */
  add(event) {
    const special = brokerRow(event);
    if (special === undefined) this.#received++;
    this.#push(special ?? eventRow(event));
  }

  /**
   * Adds a note about the connection.
   *
   * @param {string} text
   */
  note(text) {
    this.#push(noticeRow('note', new Date(), text));
  }

  /** @param {string} [hint] shown while the list is empty */
  clear(hint) {
    this.#waiting = [];
    this.#received = 0;
    this.#list.replaceChildren();
    if (hint !== undefined) this.#empty.textContent = hint;
    this.#update();
  }

  /** @param {HTMLElement} row */
  #push(row) {
    this.#waiting.push(row);
    if (this.#waiting.length > MAX_ROWS) this.#waiting.shift();
    this.#schedule();
  }

  /** Shows all rows of a frame together. A hidden page draws no frames, so its rows wait. */
  #schedule() {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      for (const row of this.#waiting) this.#list.prepend(row);
      this.#waiting = [];
      while (this.#list.childElementCount > MAX_ROWS) this.#list.lastElementChild?.remove();
      this.#update();
    });
  }

  #update() {
    const empty = this.#list.childElementCount === 0;
    this.#empty.hidden = !empty;
    this.#clear.disabled = empty;
    const count = `${this.#received.toLocaleString()} received`;
    this.#count.textContent = empty
      ? ''
      : this.#received > MAX_ROWS
        ? `${count}, newest ${MAX_ROWS} shown`
        : count;
  }
}

/** @param {StreamEvent} event */
function eventRow(event) {
  const shown = event.data.slice(0, MAX_SHOWN);
  const row = element(
    'li',
    'event',
    element(
      'div',
      'meta',
      element('span', `type hue-${hueOf(event.type)}`, event.type),
      element('code', 'id', event.hasId ? event.id : 'no id'),
      timeView(timeOf(event)),
    ),
    element('pre', 'data', shown),
  );
  if (shown.length < event.data.length) {
    const all = event.data.length.toLocaleString();
    row.append(element('p', 'cut', `The first ${MAX_SHOWN.toLocaleString()} of ${all} characters.`));
  }
  return row;
}

/**
 * Makes a row that explains an event of the broker. Returns undefined for other events.
 *
 * @param {StreamEvent} event
 */
function brokerRow(event) {
  switch (event.type) {
    case 'sluice:ready':
      return noticeRow(
        'ready',
        new Date(),
        `Caught up${positionOf(event.id)}. From here on, events arrive as they are published.`,
      );
    case 'sluice:gap': {
      const { after, before } = fieldsOf(event.data);
      const where =
        typeof after !== 'string' ? 'Events may be missing' : `Events may be missing after ${after}`;
      const until = typeof before !== 'string' ? '' : `; the next event is ${before}`;
      return noticeRow('gap', new Date(), `${where}${until}. An application has to load its state again.`);
    }
    case 'sluice:end':
      return noticeRow('end', new Date(), 'The channel has ended. No more events will follow.');
    case 'sluice:cleared':
      return noticeRow('note', timeOf(event), 'All earlier events of the channel were deleted.');
    case 'sluice:deleted':
      return noticeRow('note', timeOf(event), `The key ${String(fieldsOf(event.data)['key'])} was deleted.`);
    default:
      // An unknown `sluice:` event comes from a newer broker, not from an application.
      return event.type.startsWith('sluice:')
        ? noticeRow('note', new Date(), `${event.type}: ${event.data.slice(0, MAX_SHOWN)}`)
        : undefined;
  }
}

/** @param {string} id */
function positionOf(id) {
  return id === '' || id === '0-0' ? '' : ` with ${id}`;
}

/**
 * @param {string} data
 * @returns {Readonly<Record<string, unknown>>} empty when the data is no JSON object
 */
function fieldsOf(data) {
  try {
    return record(JSON.parse(data));
  } catch {
    return {};
  }
}

/**
 * @param {'note' | 'ready' | 'gap' | 'end'} kind
 * @param {Date} when
 * @param {string} text
 */
function noticeRow(kind, when, text) {
  return element('li', `notice ${kind}`, element('p', '', text), timeView(when));
}

/** @param {Date} when */
function timeView(when) {
  const view = element('time', '', clock.format(when));
  view.dateTime = when.toISOString();
  view.title = when.toISOString();
  return view;
}

/**
 * An id begins with the time at which the log took the event, in ms.
 *
 * @param {StreamEvent} event
 */
function timeOf({ id, hasId }) {
  const ms = hasId ? Number(id.split('-', 1)[0]) : NaN;
  return ms >= 0 && ms <= 8.64e15 ? new Date(ms) : new Date();
}

/** @param {string} type */
function hueOf(type) {
  let hash = 0;
  for (let i = 0; i < type.length; i++) hash = (hash * 31 + type.charCodeAt(i)) >>> 0;
  return type === 'message' ? 0 : 1 + (hash % (HUES - 1));
}
