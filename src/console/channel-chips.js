import { button, byId, element } from './element.js';

/** @typedef {import('./channel-feed.js').Followed} Followed */

/** More chips than this are counted and not shown. */
const MAX_CHIPS = 200;

/** The channels of the view, each with its state, and a button that removes it. */
export class ChannelChips {
  #list = byId('chips', HTMLElement);
  #scheduled = false;
  /**
   * The chips by what they say. A chip that says the same stays: a screen reader would read its reason again.
   *
   * @type {Map<string, HTMLElement>}
   */
  #chips = new Map();
  #more = element('li', 'chip');
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

  /** @param {() => readonly Followed[]} channels asked for once, however many changes a task makes */
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
    this.#list.hidden = channels.length === 0;
    const label = document.activeElement?.ariaLabel;
    const place = [...this.#list.children].findIndex((chip) => chip.contains(document.activeElement));
    const before = this.#chips;
    this.#chips = new Map(
      channels.slice(0, MAX_CHIPS).map((one) => {
        const words = JSON.stringify([one.channel, one.state, one.status, one.reason]);
        return [words, before.get(words) ?? this.#chip(one)];
      }),
    );
    for (const [words, chip] of before) if (!this.#chips.has(words)) chip.remove();
    const more = channels.length - this.#chips.size;
    this.#more.textContent = `and ${more.toLocaleString()} more`;
    for (const [at, chip] of [...this.#chips.values(), ...(more > 0 ? [this.#more] : [])].entries())
      if (this.#list.children[at] !== chip) this.#list.insertBefore(chip, this.#list.children[at] ?? null);
    if (more <= 0) this.#more.remove();
    if (place < 0 || this.#list.contains(document.activeElement)) return;
    // The focus was in a chip that is gone. The same button has it, or the next chip, or the field.
    const buttons = [...this.#list.querySelectorAll('button')];
    const removers = buttons.filter(({ className }) => className === 'remove');
    const same = buttons.find(({ ariaLabel }) => ariaLabel === label);
    (same ?? removers[place] ?? removers.at(-1) ?? byId('channel', HTMLInputElement)).focus();
  }

  /** @param {Followed} followed */
  #chip({ channel, state, status, reason }) {
    const remove = button('remove', '×', () => this.#onRemove(channel));
    remove.ariaLabel = `Remove ${channel}`;
    const chip = element(
      'li',
      'chip',
      element('code', 'name', channel),
      element('span', 'chip-state', state),
    );
    chip.dataset['state'] = state;
    if (state === 'refused') {
      const why = element('span', 'reason', `${status === 0 ? '' : `${status}: `}${reason}`);
      why.setAttribute('role', 'alert');
      const retry = button('retry', 'Try again', () => this.#onRetry(channel));
      retry.ariaLabel = `Try again: ${channel}`;
      chip.append(retry, remove, why);
    } else chip.append(remove);
    return chip;
  }
}
