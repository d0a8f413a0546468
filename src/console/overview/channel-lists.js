import { button, element } from '../element.js';
import { record, text } from '../json-value.js';
import { BrokerFault, askBroker } from './broker-api.js';
import { DataTable } from './data-table.js';
import { clock, count, number, time } from './figures.js';
import { Poller } from './poller.js';

/** How long each list of the busiest channels is. */
const BUSIEST = 10;
const PAGE_CHANNELS = 50;
/** A page of the broker may be empty and have a next one. So many empty pages are skipped without being asked. */
const MAX_EMPTY_PAGES = 10;

/** @typedef {{ channel: string, count: number }} Counted */

/** Shows the busiest channels, and all channels in pages. */
export class ChannelLists {
  view = element('div', 'stack');
  #access;
  #busiest;
  #note = element('p', 'note', 'Deliveries and publishes of the last minute, and open streams now.');
  #fault = element('p', 'warning');
  /** @type {Poller<Record<string, unknown>>} */
  #poller;
  #channels;

  /**
   * @param {{ key: string }} access whose key may change
   * @param {(channel: string) => void} onChosen
   */
  constructor(access, onChosen) {
    this.#access = access;
    this.#busiest = /** @type {const} */ ([
      ['deliveries', 'Deliveries'],
      ['publishes', 'Publishes'],
      ['subscribers', 'Subscribers'],
    ]).map(([name, title]) => {
      /** @type {DataTable<Counted>} */
      const table = new DataTable({
        label: `Busiest channels by ${name}`,
        columns: ['Channel', `#${title}`],
        keyOf: ({ channel }) => channel,
        cellsOf: (one) => [one.channel, count(one.count)],
        onChosen,
      });
      const none = element('p', 'note', 'None.');
      return { name, table, none, view: element('div', '', element('h3', '', title), table.view, none) };
    });
    this.#fault.setAttribute('role', 'status');
    const lists = element('div', 'columns', ...this.#busiest.map(({ view }) => view));
    const head = element('div', 'card-head', element('h2', '', 'Busiest channels'), this.#note);
    this.#channels = new ChannelPages(access, onChosen);
    this.view.append(element('section', 'card stack', head, this.#fault, lists), this.#channels.view);
    this.#poller = new Poller({
      ask: (signal) => askBroker(`channels?busiest=${BUSIEST}`, this.#access.key, signal),
      onAnswer: (answer) => this.#showBusiest(answer),
      onFault: ({ message }) => this.#fault.replaceChildren(message),
    });
  }

  start() {
    this.#poller.start();
    this.#channels.loadFirst();
  }

  stop() {
    this.#poller.stop();
  }

  /**
   * Moves the keyboard's focus back to a channel that was chosen.
   *
   * @param {string} channel
   */
  focus(channel) {
    if (this.#channels.table.focus(channel)) return;
    this.#busiest.some(({ table }) => table.focus(channel));
  }

  /** @param {Record<string, unknown>} answer */
  #showBusiest(answer) {
    for (const { name, table, none } of this.#busiest) {
      const listed = Array.isArray(answer[name]) ? answer[name].map(record) : [];
      const rows = listed.map((one) => ({ channel: text(one['channel']), count: number(one['count']) ?? 0 }));
      table.show(rows);
      table.view.hidden = rows.length === 0;
      none.hidden = rows.length > 0;
    }
    this.#fault.textContent =
      answer['complete'] === false ? 'Not every replica has answered: these counts are too small.' : '';
  }
}

/** @typedef {{ channel: string, length: number, last: string, ended: boolean }} Channel */

class ChannelPages {
  view;
  #access;
  /** @type {DataTable<Channel>} */
  table;
  #prefix = element('input', '');
  #outcome = element('p', 'note');
  #previous = pageButton('Previous', () => this.#turn(-1));
  #next = pageButton('Next', () => this.#turn(1));
  /** Where each page begins that was shown so far. The last one is shown now. */
  #starts = [''];
  /** @type {string | undefined} */
  #after;
  #shownPrefix = '';
  /** @type {AbortController | undefined} */
  #asking;
  #loaded = false;

  /**
   * @param {{ key: string }} access
   * @param {(channel: string) => void} onChosen
   */
  constructor(access, onChosen) {
    this.#access = access;
    this.table = new DataTable({
      label: 'All channels',
      columns: ['Channel', '#Events kept', 'Newest event', 'State'],
      keyOf: ({ channel }) => channel,
      cellsOf: ({ channel, length, last, ended }) => [
        channel,
        count(length),
        time(last),
        ended ? 'ended' : 'open',
      ],
      onChosen,
    });
    this.#prefix.id = 'overview-prefix';
    this.#prefix.spellcheck = false;
    this.#prefix.autocapitalize = 'none';
    this.#prefix.placeholder = 'orders.';
    const label = element('label', '', 'Names begin with');
    label.htmlFor = this.#prefix.id;
    const list = element('button', '', 'List');
    const form = element(
      'form',
      'row',
      element('div', 'field grow', label, this.#prefix),
      element('div', 'buttons', list, this.#previous, this.#next),
    );
    form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.#first();
    });
    this.#outcome.setAttribute('role', 'status');
    const title = element('h2', '', 'All channels');
    this.view = element('section', 'card stack', title, form, this.#outcome, this.table.view);
  }

  /** Lists the channels when there is no list yet. */
  loadFirst() {
    if (!this.#loaded) this.#first();
  }

  #first() {
    this.#starts = [''];
    this.#shownPrefix = this.#prefix.value.trim();
    void this.#load();
  }

  /** @param {1 | -1} by */
  #turn(by) {
    if (by === 1) this.#starts.push(this.#after ?? '');
    else this.#starts.pop();
    void this.#load();
  }

  async #load() {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#outcome.textContent = 'Asking…';
    try {
      const { channels, next } = await this.#page(this.#starts.at(-1) ?? '', asking.signal);
      if (asking.signal.aborted) return;
      this.#loaded = true;
      this.#after = next;
      // The broker lists channels in no order.
      channels.sort((a, b) => (a.channel < b.channel ? -1 : 1));
      this.table.show(channels);
      this.table.view.hidden = channels.length === 0;
      this.#outcome.textContent = this.#summary(channels.length);
      setDisabled(this.#previous, this.#starts.length < 2);
      setDisabled(this.#next, next === undefined);
    } catch (error) {
      if (!(error instanceof BrokerFault)) throw error;
      if (!asking.signal.aborted) this.#outcome.textContent = error.message;
    }
  }

  /** @param {number} shown */
  #summary(shown) {
    const which = this.#shownPrefix === '' ? '' : ` that begin with ${this.#shownPrefix}`;
    const more =
      this.#after === undefined ? '' : ' There are more on the next page, and each page is sorted by itself.';
    if (shown === 0 && this.#after === undefined) return `No channels${which}.`;
    return `Page ${this.#starts.length}: ${count(shown)} channels${which}, as of ${clock()}.${more}`;
  }

  /**
   * @param {string} start
   * @param {AbortSignal} signal
   */
  async #page(start, signal) {
    /** @type {Channel[]} */
    let channels = [];
    let after = start;
    for (let asked = 0; asked < MAX_EMPTY_PAGES && channels.length === 0; asked++) {
      const query = new URLSearchParams({ prefix: this.#shownPrefix, limit: String(PAGE_CHANNELS), after });
      const answer = await askBroker(`channels?${query}`, this.#access.key, signal);
      const listed = Array.isArray(answer['channels']) ? answer['channels'].map(record) : [];
      channels = listed.map((one) => ({
        channel: text(one['channel']),
        length: number(one['length']) ?? 0,
        last: text(one['last']),
        ended: one['ended'] === true,
      }));
      after = text(answer['next']);
      if (after === '') return { channels, next: undefined };
    }
    return { channels, next: after };
  }
}

/**
 * @param {string} label
 * @param {() => void} onClick
 */
function pageButton(label, onClick) {
  const made = button('', label, onClick);
  made.disabled = true;
  return made;
}

/**
 * A button that becomes disabled loses the focus.
 *
 * @param {HTMLButtonElement} changed
 * @param {boolean} disabled
 */
function setDisabled(changed, disabled) {
  const focused = document.activeElement === changed;
  changed.disabled = disabled;
  if (focused && disabled) changed.parentElement?.querySelector('button')?.focus();
}
