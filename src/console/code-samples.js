import { brokerUrl } from './broker-url.js';
import { channelNameFault } from './channel-name.js';
import { byId, element } from './element.js';
import { scriptString, shellWord } from './quote.js';

/** How many event types the sample listens to, and how many channels it names. */
const MAX_TYPES = 5;
const MAX_CHANNELS = 10;

/**
 * Shows code for the client, for a page without it, and for a shell that does what the console does. Anybody can make a link
 * with a channel name, and publishers choose the event types, so both are quoted for the language of the sample. An invalid
 * channel gets no sample.
 */
export class CodeSamples {
  #client = byId('client-code', HTMLElement);
  #page = byId('page-code', HTMLElement);
  #shell = byId('shell-code', HTMLElement);
  #samples = byId('samples', HTMLElement);
  #note = byId('no-samples', HTMLElement);
  /** @type {Set<string>} */
  #types = new Set();
  /** @type {readonly string[]} */
  #channels = [];
  #withToken = false;

  /**
   * @param {readonly string[]} channels
   * @param {boolean} withToken whether the stream is opened with a token. The samples do not show the token.
   */
  setChannels(channels, withToken) {
    this.#channels = channels.slice(0, MAX_CHANNELS);
    this.#withToken = withToken;
    this.#types.clear();
    this.#show();
  }

  /**
   * Adds an event type to the sample, because a page without the client has to name the types that it listens to.
   *
   * @param {string} type
   */
  addType(type) {
    if (this.#types.has(type) || this.#types.size === MAX_TYPES) return;
    this.#types.add(type);
    this.#show();
  }

  #show() {
    const channels = this.#channels.length === 0 ? ['news'] : this.#channels;
    const wrong = channels.find((channel) => channelNameFault(channel) !== undefined);
    this.#samples.hidden = wrong !== undefined;
    this.#note.hidden = wrong === undefined;
    if (wrong === undefined) {
      this.#client.textContent = this.#clientSample(channels);
      this.#page.textContent = this.#pageSample(channels);
      this.#shell.textContent = this.#shellSample(channels);
    } else {
      for (const code of [this.#client, this.#page, this.#shell]) code.textContent = '';
      this.#note.replaceChildren(
        element('code', '', wrong.slice(0, 200)),
        ` is not a valid channel name: ${channelNameFault(wrong)}. There is no code for it.`,
      );
    }
  }

  /** @param {readonly string[]} channels */
  #clientSample(channels) {
    const options = this.#withToken ? ', { getToken }' : '';
    const subscribe = channels.length === 1 ? scriptString(channels[0] ?? '') : 'channel';
    const each =
      channels.length === 1
        ? ''
        : `for (const channel of ${JSON.stringify(channels).replaceAll(',', ', ')})\n  `;
    return [
      `import { connect } from ${scriptString(brokerUrl('client/index.js').href)};`,
      ...(this.#withToken ? ['// Your backend gets the token from POST /tokens.'] : []),
      ...(this.#withToken ? ['const getToken = async () => (await fetch("/token")).text();'] : []),
      `const client = connect(${scriptString(brokerUrl('').href)}${options});`,
      `${each}client.subscribe(${subscribe}, {`,
      `  onEvent: ({ id, event, data }) => show(id, event, data),`,
      `  onGap: () => reloadState(),`,
      `});`,
    ].join('\n');
  }

  /** @param {readonly string[]} channels */
  #pageSample(channels) {
    const types = this.#types.size === 0 ? ['message'] : [...this.#types];
    return [
      // An EventSource cannot send an Authorization header, so a page needs the token in a cookie.
      ...(this.#withToken ? ['// The token comes from the cookie sluice_token.'] : []),
      `const source = new EventSource(${scriptString(eventsUrl(channels))});`,
      ...types.map(
        (type) => `source.addEventListener(${scriptString(type)}, (e) => show(e.lastEventId, e.data));`,
      ),
      `source.addEventListener("sluice:gap", () => reloadState());`,
    ].join('\n');
  }

  /** @param {readonly string[]} channels */
  #shellSample(channels) {
    const token = this.#withToken ? `-H "Authorization: Bearer $TOKEN" \\\n  ` : '';
    const publish = brokerUrl(`publish/${encodeURIComponent(channels[0] ?? '')}`).href;
    return [
      `curl -N ${token}${shellWord(eventsUrl(channels))}`,
      `curl -H "Authorization: Bearer $SLUICE_KEY" \\\n  -d hello ${shellWord(publish)}`,
    ].join('\n\n');
  }
}

/** @param {readonly string[]} channels */
function eventsUrl(channels) {
  if (channels.length === 1) return brokerUrl(`events/${encodeURIComponent(channels[0] ?? '')}`).href;
  const url = brokerUrl('events');
  url.search = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join('&');
  return url.href;
}
