import { brokerUrl } from './broker-url.js';
import { byId, element } from './element.js';
import { record, text } from './json-value.js';
import { faultView, problemView } from './problem.js';

/** Publishes to the channel of the page. Only the key field holds the publish key. */
export class PublishForm {
  #form = byId('publish', HTMLFormElement);
  #key = byId('key', HTMLInputElement);
  #type = byId('type', HTMLInputElement);
  #data = byId('data', HTMLTextAreaElement);
  #outcome = byId('published', HTMLElement);
  #channel;

  /** @param {() => string} channel */
  constructor(channel) {
    this.#channel = channel;
  }

  listen() {
    this.#form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      void this.#publish();
    });
    this.#data.addEventListener('keydown', (pressed) => {
      if (pressed.key === 'Enter' && (pressed.ctrlKey || pressed.metaKey)) this.#form.requestSubmit();
    });
  }

  async #publish() {
    const channel = this.#channel();
    if (channel === '') {
      byId('channel', HTMLInputElement).reportValidity();
      return;
    }
    const type = this.#type.value;
    const body = JSON.stringify({ channel, ...(type !== '' && { event: type }), data: this.#data.value });
    this.#outcome.setAttribute('aria-busy', 'true');
    this.#outcome.replaceChildren(await this.#send(body));
    this.#outcome.removeAttribute('aria-busy');
  }

  /** @param {string} body */
  async #send(body) {
    try {
      const response = await fetch(brokerUrl('publish'), {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#key.value.trim()}`, 'content-type': 'application/json' },
        body,
      });
      if (!response.ok) return await problemView(response);
      const { channel, id } = record(await response.json());
      return element('p', 'done', `Published to ${text(channel)} as `, element('code', '', text(id)));
    } catch (error) {
      // fetch also throws for a key with a character that is not allowed in headers.
      const detail = error instanceof Error ? error.message : String(error);
      return faultView('Not published', `The request failed: ${detail}.`);
    }
  }
}
