import { byId, element, fact } from './element.js';
import { hueOf } from './event-row.js';
import { isJsonStructure, layOutJson } from './json-layout.js';
import { fragmentOf } from './page-link.js';
import { copyOnClick, saveFile } from './take-away.js';

/** @typedef {import('./event-store.js').Row} Row */

/** How many characters of the data are shown. */
const MAX_SHOWN = 20_000;
/** Longer data is not parsed to see whether it is JSON. */
const MAX_PARSED = 2_000_000;

const fullTime = new Intl.DateTimeFormat(undefined, {
  hourCycle: 'h23',
  weekday: 'short',
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  timeZoneName: 'short',
});

/** Shows the selected row in full. */
export class EventDetails {
  #view = byId('details', HTMLElement);
  #title = byId('details-title', HTMLElement);
  #facts = byId('details-facts', HTMLElement);
  #data = byId('details-data', HTMLElement);
  #cut = byId('details-cut', HTMLElement);
  #raw = byId('show-raw', HTMLButtonElement);
  #actions = byId('details-actions', HTMLElement);
  #isRaw = false;
  /** @type {Row | undefined} */
  #row;

  /** @param {() => void} onClose */
  constructor(onClose) {
    byId('close-details', HTMLButtonElement).addEventListener('click', onClose);
    this.#view.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') onClose();
    });
    this.#raw.addEventListener('click', () => {
      this.#isRaw = !this.#isRaw;
      this.#showData();
    });
    copyOnClick(byId('copy-data', HTMLButtonElement), () => this.#row?.data ?? '');
    copyOnClick(byId('copy-id', HTMLButtonElement), () => this.#row?.id ?? '');
    copyOnClick(byId('copy-link', HTMLButtonElement), () => {
      const { channel = '', id = '' } = this.#row ?? {};
      return new URL(fragmentOf([channel], `last_event_id=${id}`), location.href).href;
    });
    byId('save-data', HTMLButtonElement).addEventListener('click', () => {
      const { data = '', id = '', channel = '' } = this.#row ?? {};
      const isJson = isShortJson(data);
      const type = isJson ? 'application/json' : 'text/plain';
      saveFile(`${channel}-${id}.${isJson ? 'json' : 'txt'}`, [data], type);
    });
  }

  /** @param {Row | undefined} row undefined closes the details */
  show(row) {
    this.#view.hidden = row === undefined;
    if (row === this.#row) return;
    this.#row = row;
    if (row === undefined) return;
    const isEvent = row.kind === 'event';
    const { length } = row.data;
    this.#title.textContent = isEvent ? row.type : 'Notice';
    this.#title.className = `type hue-${hueOf(isEvent ? row.type : 'message')}`;
    const time = element('time', '', fullTime.format(row.time));
    time.dateTime = new Date(row.time).toISOString();
    this.#facts.replaceChildren(
      fact('Time', time),
      ...(row.channel === '' ? [] : [fact('Channel', element('code', '', row.channel))]),
      ...(row.id === '' ? [] : [fact('Id', element('code', '', row.id))]),
      ...(isEvent ? [fact('Data', `${length.toLocaleString()} character${length === 1 ? '' : 's'}`)] : []),
    );
    this.#actions.hidden = !isEvent;
    this.#view.scrollTop = 0;
    this.#showData();
  }

  /** On a narrow screen the details are below the list, and may be below the window. */
  scrollIntoView() {
    this.#view.scrollIntoView({ block: 'nearest' });
  }

  #showData() {
    const { data = '', kind } = this.#row ?? {};
    const isJson = kind === 'event' && isShortJson(data);
    this.#raw.hidden = !isJson;
    this.#raw.setAttribute('aria-pressed', String(this.#isRaw));
    const start = data.slice(0, MAX_SHOWN);
    this.#data.textContent = isJson && !this.#isRaw ? layOutJson(start) : start;
    this.#data.classList.toggle('sentence', kind !== 'event');
    this.#cut.hidden = start.length === data.length;
    this.#cut.textContent = `The first ${MAX_SHOWN.toLocaleString()} of ${data.length.toLocaleString()} characters. Copy or save the data to have all of it.`;
  }
}

/** @param {string} data */
function isShortJson(data) {
  return data.length <= MAX_PARSED && isJsonStructure(data);
}
