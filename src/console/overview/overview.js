import { element } from '../element.js';
import { askBroker } from './broker-api.js';
import { ChannelDetails } from './channel-details.js';
import { ChannelLists } from './channel-lists.js';
import { clock } from './figures.js';
import { INTERVAL_MS, Poller } from './poller.js';
import { ReplicaStatus } from './replica-status.js';

/** @typedef {import('./broker-api.js').BrokerFault} BrokerFault */

/**
 * What a holder of a publish key sees of the whole broker: channels, the busiest of them, their subscribers, replicas, rates
 * and the log. It asks the broker only while it is shown. The key is only in the fields for it and in the requests.
 */
export class Overview {
  #root;
  #page;
  /** The key in use. It is what was in the field when the form was sent. */
  #access = { key: '' };
  /** Whether the broker has refused the key. A wrong key is not sent again: the broker counts wrong keys of an address. */
  #isRefused = false;
  #shown = false;
  #keyField = element('input', '');
  #fault = element('p', 'problem');
  #state = element('p', 'note');
  #view = element('div', 'overview stack');
  #content = element('div', 'stack');
  #status = new ReplicaStatus();
  #lists = new ChannelLists(this.#access, (channel) => this.#showDetails(channel));
  #details;
  /** @type {Poller<Record<string, unknown>>} */
  #poller;

  /**
   * @param {HTMLElement} root
   * @param {object} page
   * @param {HTMLInputElement} page.key the page's field for a publish key
   * @param {(channel: string) => void} page.openChannel shows the events of a channel
   */
  constructor(root, page) {
    this.#root = root;
    this.#page = page;
    this.#details = new ChannelDetails(this.#access, {
      openChannel: page.openChannel,
      onBack: (channel) => this.#showLists(channel),
    });
    this.#poller = new Poller({
      ask: (signal) => askBroker('status', this.#access.key, signal),
      onAnswer: (status) => this.#onStatus(status),
      onFault: (fault) => this.#onFault(fault),
      onSlow: () => this.#say('The broker takes long to answer. This page asks less often.'),
    });
    this.#build();
    document.addEventListener('visibilitychange', () => this.#follow());
  }

  show() {
    this.#shown = true;
    this.#root.replaceChildren(this.#view);
    this.#keyField.value = this.#page.key.value;
    const key = this.#keyField.value.trim();
    // The form for publishing may have got another key meanwhile.
    if (key === this.#access.key) this.#follow();
    else this.#useKey(key);
    if (key === '') this.#keyField.focus();
  }

  hide() {
    this.#shown = false;
    this.#view.remove();
    this.#follow();
  }

  #build() {
    const field = this.#keyField;
    Object.assign(field, { id: 'overview-key', type: 'password', autocomplete: 'off', spellcheck: false });
    field.required = true;
    const label = element('label', '', 'Publish key or admin token');
    label.htmlFor = field.id;
    const note = element(
      'p',
      'note',
      'A token needs "admin": true in its claim sluice. The page keeps the key only in memory.',
    );
    note.id = 'overview-key-note';
    field.setAttribute('aria-describedby', note.id);
    this.#fault.setAttribute('role', 'alert');
    this.#fault.hidden = true;
    const form = element(
      'form',
      'card',
      element(
        'div',
        'row',
        element('div', 'field grow', label, field),
        element('div', 'buttons', element('button', 'primary', 'Show')),
      ),
      note,
      this.#fault,
      this.#state,
    );
    form.autocomplete = 'off';
    form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      this.#useKey(field.value.trim());
    });
    this.#keepInStep(field);
    this.#content.hidden = true;
    this.#details.view.hidden = true;
    this.#content.append(this.#status.view, this.#lists.view, this.#details.view);
    this.#view.append(form, this.#content);
  }

  /**
   * Both fields have the same key.
   *
   * @param {HTMLInputElement} field
   */
  #keepInStep(field) {
    const other = this.#page.key;
    field.addEventListener('input', () => {
      if (field.value === '') this.#useKey('');
      other.value = field.value;
      other.dispatchEvent(new Event('input', { bubbles: true }));
    });
    other.addEventListener('input', () => {
      field.value = other.value;
      if (field.value === '') this.#useKey('');
    });
  }

  /** @param {string} key An empty one ends the overview. */
  #useKey(key) {
    this.#stop();
    this.#access.key = key;
    this.#isRefused = false;
    this.#fault.hidden = true;
    if (key === '') this.#content.hidden = true;
    this.#say(key === '' ? '' : 'Asking…');
    this.#follow();
  }

  /** Asks the broker while the page is visible and has a key. */
  #follow() {
    if (!this.#shown || document.hidden || this.#access.key === '' || this.#isRefused) {
      this.#stop();
      return;
    }
    this.#poller.start();
    if (this.#content.hidden) return;
    if (this.#details.view.hidden) this.#lists.start();
    else this.#details.start();
  }

  #stop() {
    this.#poller.stop();
    this.#lists.stop();
    this.#details.stop();
  }

  /** @param {Record<string, unknown>} status */
  #onStatus(status) {
    const first = this.#content.hidden;
    this.#fault.hidden = true;
    this.#content.hidden = false;
    this.#status.show(status);
    this.#say(`Updated at ${clock()}, every ${INTERVAL_MS / 1_000} s while answers are quick.`);
    if (first) this.#follow();
  }

  /** @param {BrokerFault} fault */
  #onFault(fault) {
    this.#fault.textContent = fault.message;
    this.#fault.hidden = false;
    if (fault.blamesKey) {
      this.#isRefused = true;
      this.#stop();
      this.#keyField.focus();
      this.#say(this.#content.hidden ? '' : 'The figures below are not updated any more.');
    } else this.#say('The page goes on asking. Figures below are those of the last answer.');
  }

  /** @param {string} words */
  #say(words) {
    this.#state.textContent = words;
  }

  /** @param {string} channel */
  #showDetails(channel) {
    this.#lists.stop();
    this.#status.view.hidden = true;
    this.#lists.view.hidden = true;
    this.#details.view.hidden = false;
    this.#details.show(channel);
  }

  /** @param {string} channel */
  #showLists(channel) {
    this.#details.stop();
    this.#details.view.hidden = true;
    this.#status.view.hidden = false;
    this.#lists.view.hidden = false;
    this.#lists.start();
    this.#lists.focus(channel);
  }
}
