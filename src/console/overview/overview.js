import { element } from '../element.js';

/**
 * What a holder of a publish key sees of the whole broker: channels, the busiest of them, their subscribers, replicas, rates
 * and the log. It asks the broker only while it is shown.
 */
export class Overview {
  #root;

  /**
   * @param {HTMLElement} root
   * @param {object} page
   * @param {HTMLInputElement} page.key the page's only field for a publish key
   * @param {(channel: string) => void} page.openChannel shows the events of a channel
   */
  constructor(root, page) {
    this.#root = root;
    void page;
  }

  show() {
    this.#root.replaceChildren(element('p', 'empty', 'Not there yet.'));
  }

  hide() {
    this.#root.replaceChildren();
  }
}
