import { byId } from './element.js';

/** Shows how to do with a page or a shell what the console does. */
export class CodeSamples {
  #page = byId('page-code', HTMLElement);
  #shell = byId('shell-code', HTMLElement);
  /** @type {Set<string>} */
  #types = new Set();
  #channel = '';

  /** @param {string} channel */
  about(channel) {
    this.#channel = channel;
    this.#types.clear();
    this.#show();
  }

  /**
   * A page has to name the types it listens to, so the sample names those that the channel has.
   *
   * @param {string} type
   */
  seen(type) {
    if (this.#types.has(type) || type.startsWith('sluice:') || this.#types.size === 5) return;
    this.#types.add(type);
    this.#show();
  }

  #show() {
    const channel = this.#channel || 'news';
    const events = new URL(`events/${channel}`, document.baseURI);
    const publish = new URL(`publish/${channel}`, document.baseURI);
    const types = this.#types.size === 0 ? ['message'] : [...this.#types];
    this.#page.textContent = [
      `const source = new EventSource('${events}');`,
      ...types.map((type) => `source.addEventListener(${quote(type)}, (e) => show(e.lastEventId, e.data));`),
      `source.addEventListener('sluice:gap', () => reloadState());`,
    ].join('\n');
    this.#shell.textContent = `curl -N ${events}\n\ncurl -H "Authorization: Bearer $KEY" \\\n  -d hello ${publish}`;
  }
}

/** @param {string} text */
function quote(text) {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
