import { byId } from './element.js';
import { channelsOf } from './page-link.js';

/** @typedef {import('./channel-feed.js').FeedWishes} FeedWishes */

/** The fields that say what to follow. Only its field and the client hold the token. */
export class ConnectForm {
  #form = byId('connect', HTMLFormElement);
  #channels = byId('channel', HTMLInputElement);
  #start = byId('start', HTMLSelectElement);
  #token = byId('token', HTMLInputElement);
  #button = byId('connect-button', HTMLButtonElement);
  #fault = byId('refused', HTMLElement);

  /** @param {() => void} onChange called when a field has changed */
  constructor(onChange) {
    this.#form.addEventListener('input', onChange);
  }

  /** @returns {FeedWishes} */
  get wishes() {
    return {
      channels: channelsOf(this.#channels.value),
      start: this.#start.value,
      token: this.#token.value.trim(),
    };
  }

  /** @param {Partial<FeedWishes>} wishes */
  set({ channels, start, token }) {
    if (channels !== undefined) this.#channels.value = channels.join(', ');
    if (token !== undefined) this.#token.value = token;
    if (start === undefined) return;
    // Adds a start that the list does not offer, such as `since=…`.
    if (![...this.#start.options].some((option) => option.value === start))
      this.#start.add(new Option(start, start));
    this.#start.value = start;
  }

  /**
   * Whether the fields say something else than what the page follows.
   *
   * @param {FeedWishes} followed
   */
  differsFrom(followed) {
    const { channels, start, token } = this.wishes;
    return (
      token !== followed.token ||
      start !== followed.start ||
      channels.length !== followed.channels.length ||
      channels.some((channel) => !followed.channels.includes(channel))
    );
  }

  /** @param {'Connect' | 'Apply changes' | 'Disconnect'} name what the button will do */
  name(name) {
    this.#button.textContent = name;
    // Without the page's code the browser would send the form itself, so the button is disabled until now.
    this.#button.disabled = false;
    this.#button.classList.toggle('primary', name !== 'Disconnect');
    // A disconnect needs no valid fields.
    this.#button.formNoValidate = name === 'Disconnect';
  }

  /** @param {(Node | string)[]} fault nothing for none */
  showFault(...fault) {
    this.#fault.replaceChildren(...fault);
  }
}
