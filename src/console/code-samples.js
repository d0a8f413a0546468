import { brokerUrl } from './broker-url.js';
import { channelNameFault } from './channel-name.js';
import { byId, element } from './element.js';
import { scriptString, shellWord } from './quote.js';

/** How many event types the sample listens to. */
const MAX_TYPES = 5;

/**
 * Shows code for a page and for a shell that does what the console does. Anybody can make a link with a channel name, and
 * publishers choose the event types, so both are quoted for the language of the sample. An invalid channel gets no sample.
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
   * @param {boolean} withToken whether the stream is opened with a token. The sample does not show the token.
   */
  setChannel(channel, withToken) {
    this.#channel = channel;
    this.#withToken = withToken;
    this.#types.clear();
    this.#show();
  }

  /**
   * Adds an event type to the sample, because a page has to name the types that it listens to.
   *
   * @param {string} type
   */
  addType(type) {
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
        ` is not a valid channel name: ${fault}. There is no code for it.`,
      );
    }
  }

  /** @param {string} channel */
  #pageSample(channel) {
    const types = this.#types.size === 0 ? ['message'] : [...this.#types];
    return [
      // An EventSource cannot send an Authorization header, so a page needs the token in a cookie.
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
