import { byId, element } from './element.js';

/** @typedef {import('./channel-feed.js').Followed} Followed */

/** More chips than this are counted and not shown. */
const MAX_CHIPS = 200;
const STATES = { connecting: 'connecting', live: 'live', refused: 'refused', ended: 'ended' };

/** The channels of the view, each with its state, and a button that removes it. */
export class ChannelChips {
  #list = byId('chips', HTMLElement);
  #scheduled = false;
  /** What is shown: the same chips are not made again, so that a focus stays. */
  #shown = '';
  #onRemove;
  #onRetry;

  /**
   * @param {(channel: string) => void} onRemove
   * @param {(channel: string) => void} onRetry
   */
  constructor(onRemove, onRetry) {
    this.#onRemove = onRemove;
    this.#onRetry = onRetry;
  }

  /** @param {() => readonly Followed[]} channels asked for once a frame */
  update(channels) {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#show(channels());
    });
  }

  /** @param {readonly Followed[]} channels */
  #show(channels) {
    const shown = JSON.stringify(channels.map(({ channel, state, reason }) => [channel, state, reason]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.hidden = channels.length === 0;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.ariaLabel : null;
    const chips = channels.slice(0, MAX_CHIPS).map((one) => this.#chip(one));
    const more = channels.length - chips.length;
    if (more > 0) chips.push(element('li', 'chip', `and ${more.toLocaleString()} more`));
    this.#list.replaceChildren(...chips);
    if (focused === null) return;
    for (const button of this.#list.querySelectorAll('button'))
      if (button.ariaLabel === focused) button.focus();
  }

  /** @param {Followed} followed */
  #chip({ channel, state, status, reason }) {
    const remove = element('button', 'remove', '×');
    remove.type = 'button';
    remove.ariaLabel = `Remove ${channel}`;
    remove.addEventListener('click', () => this.#onRemove(channel));
    const chip = element(
      'li',
      'chip',
      element('code', 'name', channel),
      element('span', 'chip-state', STATES[state]),
    );
    chip.dataset['state'] = state;
    if (state === 'refused') {
      const why = element('span', 'reason', `${status === 0 ? '' : `${status}: `}${reason}`);
      why.setAttribute('role', 'alert');
      const retry = element('button', 'retry', 'Try again');
      retry.type = 'button';
      retry.ariaLabel = `Try again: ${channel}`;
      retry.addEventListener('click', () => this.#onRetry(channel));
      chip.append(retry, remove, why);
    } else chip.append(remove);
    return chip;
  }
}
