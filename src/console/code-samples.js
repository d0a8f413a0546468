import { brokerUrl } from './broker-url.js';
import { channelNameFault } from './channel-name.js';
import { byId, element } from './element.js';
import { scriptString, shellWord } from './quote.js';

/** Of the types that a channel has, so many are in the sample. */
const MAX_TYPES = 5;

/**
 * Shows how to do with a page or a shell what the console does. The channel comes from a link that anybody may have made,
 * and the types from whoever publishes, so each is quoted for its language; and nothing is shown for what is no channel.
 */
export class CodeSamples {
  #page = byId('page-code', HTMLElement);
  #shell = byId('shell-code', HTMLElement);
  #samples = byId('samples', HTMLElement);
  #note = byId('no-samples', HTMLElement);
  /** @type {Set<string>} */
  #types = new Set();
  #channel = '';
  #withToken = false;

  /**
   * @param {string} channel
   * @param {boolean} withToken whether the stream is opened with a token, which is not shown
   */
  about(channel, withToken) {
    this.#channel = channel;
    this.#withToken = withToken;
    this.#types.clear();
    this.#show();
  }

  /**
   * A page has to name the types it listens to, so the sample names those that the channel has.
   *
   * @param {string} type
   */
  seen(type) {
    if (this.#types.has(type) || type.startsWith('sluice:') || this.#types.size === MAX_TYPES) return;
    this.#types.add(type);
    this.#show();
  }

  #show() {
    const channel = this.#channel || 'news';
    const fault = channelNameFault(channel);
    this.#samples.hidden = fault !== undefined;
    this.#note.hidden = fault === undefined;
    if (fault === undefined) {
      this.#page.textContent = this.#pageSample(channel);
      this.#shell.textContent = this.#shellSample(channel);
    } else {
      this.#page.textContent = '';
      this.#shell.textContent = '';
      this.#note.replaceChildren(
        element('code', '', channel.slice(0, 200)),
        ` cannot be a channel: ${fault}. There is no code for it.`,
      );
    }
  }

  /** @param {string} channel */
  #pageSample(channel) {
    const types = this.#types.size === 0 ? ['message'] : [...this.#types];
    return [
      // An EventSource sends no header of ours, so a page of the broker's own origin has the token in a cookie.
      ...(this.#withToken ? ['// The token comes from the cookie sluice_token.'] : []),
      `const source = new EventSource(${scriptString(eventsUrl(channel))});`,
      ...types.map(
        (type) => `source.addEventListener(${scriptString(type)}, (e) => show(e.lastEventId, e.data));`,
      ),
      `source.addEventListener("sluice:gap", () => reloadState());`,
    ].join('\n');
  }

  /** @param {string} channel */
  #shellSample(channel) {
    const token = this.#withToken ? `-H "Authorization: Bearer $TOKEN" \\\n  ` : '';
    const publish = brokerUrl(`publish/${encodeURIComponent(channel)}`).href;
    return [
      `curl -N ${token}${shellWord(eventsUrl(channel))}`,
      `curl -H "Authorization: Bearer $KEY" \\\n  -d hello ${shellWord(publish)}`,
    ].join('\n\n');
  }
}

/** @param {string} channel */
function eventsUrl(channel) {
  return brokerUrl(`events/${encodeURIComponent(channel)}`).href;
}
