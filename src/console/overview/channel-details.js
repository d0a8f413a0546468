import { button, element, fact } from '../element.js';
import { record, text } from '../json-value.js';
import { askBroker } from './broker-api.js';
import { DataTable } from './data-table.js';
import { count, duration, number, size, time } from './figures.js';
import { Poller } from './poller.js';

/** The most subscribers that the broker lists. */
const LISTED = 1_000;
/** How many subscribers are shown at first, and with each press of the button more. */
const SHOWN = 100;

/** @typedef {{ key: string, sub: string, replica: string, since: string, position: string, behind: number | undefined }} Subscriber */

/** Shows one channel: what the log has of it, and who listens to it and how far behind. */
export class ChannelDetails {
  view = element('section', 'card stack');
  #name = element('h2', 'channel-name');
  #facts = element('dl', 'facts');
  #faults = [element('p', 'warning'), element('p', 'warning')];
  #summary = element('p', '');
  #more = button('', `Show ${SHOWN} more`, () => {
    this.#most += SHOWN;
    this.#showSubscribers();
  });
  #most = SHOWN;
  /** Those furthest behind first.
   * @type {readonly Subscriber[]} */
  #subscribers = [];
  /** @type {DataTable<Subscriber>} */
  #table = new DataTable({
    label: 'Subscribers',
    columns: ['Subject', '#Behind', 'Replica', 'Open since', 'Position'],
    keyOf: ({ key }) => key,
    stateOf: ({ behind }) => ((behind ?? 0) > 0 ? 'behind' : ''),
    cellsOf: ({ sub, behind, replica, since, position }) => [
      sub || '(no token)',
      behind === undefined ? 'not known' : count(behind),
      replica,
      time(since),
      position || '–',
    ],
  });
  #channel = '';
  #pollers;

  /**
   * @param {{ key: string }} access whose key may change
   * @param {{ openChannel: (channel: string) => void, onBack: (channel: string) => void }} actions
   */
  constructor(access, { openChannel, onBack }) {
    const back = button('', 'Back', () => onBack(this.#channel));
    const open = button('', 'Open its events', () => openChannel(this.#channel));
    this.#name.tabIndex = -1;
    for (const fault of this.#faults) fault.setAttribute('role', 'status');
    this.view.append(
      element('div', 'card-head', this.#name, element('div', 'buttons', open, back)),
      ...this.#faults.slice(0, 1),
      this.#facts,
      element('h3', '', 'Subscribers'),
      ...this.#faults.slice(1),
      this.#summary,
      this.#table.view,
      this.#more,
    );
    const path = () => `channels/${encodeURIComponent(this.#channel)}`;
    this.#pollers = [
      new Poller({
        ask: (signal) => askBroker(path(), access.key, signal),
        onAnswer: (answer) => this.#showFacts(answer),
        onFault: ({ message }) => this.#faults[0]?.replaceChildren(message),
      }),
      new Poller({
        ask: (signal) => askBroker(`${path()}/subscribers?limit=${LISTED}`, access.key, signal),
        onAnswer: (answer) => this.#readSubscribers(answer),
        onFault: ({ message }) => this.#faults[1]?.replaceChildren(message),
      }),
    ];
  }

  /** @param {string} channel */
  show(channel) {
    this.stop();
    this.#channel = channel;
    this.#name.textContent = channel;
    this.#most = SHOWN;
    this.#subscribers = [];
    this.#facts.replaceChildren();
    this.#table.show([]);
    this.#table.view.hidden = true;
    this.#more.hidden = true;
    this.#summary.textContent = 'Asking…';
    for (const fault of this.#faults) fault.replaceChildren();
    this.start();
    this.#name.focus();
  }

  start() {
    for (const poller of this.#pollers) poller.start();
  }

  stop() {
    for (const poller of this.#pollers) poller.stop();
  }

  /** @param {Record<string, unknown>} about */
  #showFacts(about) {
    const policy = record(about['policy']);
    const history = record(policy['history']);
    const facts = [
      ['State', about['ended'] === true ? 'ended: takes no more events' : 'open'],
      ['Kept events', counted(about['length'])],
      ['Oldest', time(text(about['first']))],
      ['Newest', time(text(about['last']))],
      ['Newest id', text(about['last'])],
      ['Size in the log', `about ${size(number(about['bytes']) ?? 0)}`],
      ['Keys', `${counted(about['keys'])} of at most ${counted(policy['keys'])}`],
      [
        'History',
        `${counted(history['size'])} events, for ${duration((number(history['ttl']) ?? 0) / 1_000)}`,
      ],
      ['Who may subscribe', policy['public'] === true ? 'everybody' : 'holders of a token'],
      ['Without a key', policy['latest'] === true ? 'events replace each other' : 'events are separate'],
    ];
    this.#facts.replaceChildren(...facts.map(([name = '', value = '']) => fact(name, value)));
    this.#faults[0]?.replaceChildren();
  }

  /** @param {Record<string, unknown>} answer */
  #readSubscribers(answer) {
    const listed = Array.isArray(answer['subscribers']) ? answer['subscribers'].map(record) : [];
    /** Two streams of a subject may open in the same millisecond.
     * @type {Map<string, number>} */
    const twins = new Map();
    const subscribers = listed.map((one) => {
      const [sub, replica, since] = [text(one['sub']), text(one['replica']), text(one['since'])];
      const name = JSON.stringify([sub, replica, since]);
      const twin = (twins.get(name) ?? 0) + 1;
      twins.set(name, twin);
      const behind = number(one['behind']);
      return { key: `${name} ${twin}`, sub, replica, since, position: text(one['position']), behind };
    });
    subscribers.sort((a, b) => (b.behind ?? -1) - (a.behind ?? -1));
    this.#subscribers = subscribers;
    const total = number(answer['count']) ?? listed.length;
    this.#summary.textContent = this.#summaryOf(total);
    this.#faults[1]?.replaceChildren(
      answer['complete'] === false
        ? 'Not every replica has answered: the subscribers of the others are missing here.'
        : '',
    );
    this.#showSubscribers();
  }

  /** @param {number} total */
  #summaryOf(total) {
    const listed = this.#subscribers.length;
    if (total === 0) return 'Nobody listens to this channel now.';
    const late = this.#subscribers.filter(({ behind }) => (behind ?? 0) > 0);
    const part = listed < total ? ` The first ${count(listed)} of them are listed.` : '';
    const worst = late[0]?.behind ?? 0;
    const behind =
      late.length === 0
        ? 'None is behind.'
        : `${count(late.length)} behind, the furthest by ${count(worst)} ${worst === 1 ? 'event' : 'events'}.`;
    return `${count(total)} ${total === 1 ? 'stream' : 'streams'}.${part} ${behind}`;
  }

  #showSubscribers() {
    this.#table.show(this.#subscribers.slice(0, this.#most));
    this.#table.view.hidden = this.#subscribers.length === 0;
    this.#more.hidden = this.#subscribers.length <= this.#most;
  }
}

/** @param {unknown} value */
function counted(value) {
  return count(number(value) ?? 0);
}
