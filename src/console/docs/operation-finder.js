import { byId, element } from '../element.js';
import { anchorOf } from './operation-view.js';

/** @typedef {import('./api-document.js').Operation} Operation */

/** From this width on, the list of operations is beside them and always open. */
const WIDE = '(min-width: 56.01rem)';

/** The list of all operations. Finds operations by words, and opens the one that a link names. */
export class OperationFinder {
  #words = byId('find', HTMLInputElement);
  #found = byId('found', HTMLElement);
  #contents = byId('contents', HTMLDetailsElement);
  #wide = matchMedia(WIDE);
  /** @type {{ operation: Operation, searched: string, view: HTMLElement, item: HTMLElement }[]} */
  #entries = [];
  /** @type {{ section: HTMLElement, part: HTMLElement, views: HTMLElement[] }[]} */
  #groups = [];

  constructor() {
    const openWhenWide = () => {
      this.#contents.open = this.#wide.matches;
    };
    openWhenWide();
    this.#wide.addEventListener('change', openWhenWide);
    this.#words.addEventListener('input', () => this.#filter());
    this.#words.addEventListener('keydown', ({ key, isComposing }) => {
      if (isComposing) return;
      const first = this.#entries.find(({ view }) => !view.hidden);
      if (key === 'Enter' && first) this.#follow(first.operation.id);
      if (key === 'Escape') this.#clear();
    });
    addEventListener('hashchange', () => this.openLinked());
  }

  /**
   * Adds a group of operations.
   *
   * @param {string} name
   * @param {HTMLElement} section holds the operations
   * @param {readonly { operation: Operation, view: HTMLElement }[]} members
   */
  add(name, section, members) {
    const items = members.map(({ operation, view }) => {
      const item = element('li', '', this.#linkTo(operation));
      const { id, method, path, summary, parameters } = operation;
      const words = [name, id, method, path, summary, ...parameters.map((parameter) => parameter.name)];
      this.#entries.push({ operation, searched: words.join(' ').toLowerCase(), view, item });
      return item;
    });
    const part = element('div', '', element('h3', '', name), element('ul', '', ...items));
    this.#contents.append(part);
    this.#groups.push({ section, part, views: members.map(({ view }) => view) });
  }

  /** Opens the operation that the fragment of the page's address names. */
  openLinked() {
    const view = document.getElementById(anchorOf(location.hash.slice(1)));
    if (!(view instanceof HTMLDetailsElement)) return;
    if (view.hidden) this.#clear();
    view.open = true;
    view.scrollIntoView();
    view.querySelector('summary')?.focus({ preventScroll: true });
  }

  /** @param {Operation} operation */
  #linkTo({ id, method, path }) {
    const name = element('span', `method ${method.toLowerCase()}`, method);
    const link = element('a', '', name, ' ', element('code', '', path));
    link.href = `#${id}`;
    link.addEventListener('click', (clicked) => {
      // The browser opens a new tab or window by itself.
      if (clicked.ctrlKey || clicked.metaKey || clicked.shiftKey) return;
      clicked.preventDefault();
      this.#follow(id);
    });
    return link;
  }

  /** @param {string} id */
  #follow(id) {
    if (!this.#wide.matches) this.#contents.open = false;
    // The same fragment again causes no `hashchange`.
    if (location.hash === `#${id}`) this.openLinked();
    else location.hash = id;
  }

  #clear() {
    this.#words.value = '';
    this.#filter();
  }

  #filter() {
    const words = this.#words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { searched, view, item } of this.#entries) {
      const matches = words.every((word) => searched.includes(word));
      view.hidden = !matches;
      item.hidden = !matches;
      if (matches) found++;
    }
    for (const { section, part, views } of this.#groups) {
      section.hidden = views.every(({ hidden }) => hidden);
      part.hidden = section.hidden;
    }
    this.#found.textContent = words.length === 0 ? '' : `${found} of ${this.#entries.length} operations`;
  }
}
