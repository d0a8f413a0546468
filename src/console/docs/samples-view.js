import { channelNameFault } from '../channel-name.js';
import { element } from '../element.js';
import { channelsOf, clientSample, eventSourceSample, publisherSample } from './client-samples.js';
import { commandSample, hasCommand } from './command-samples.js';
import { curlSample, fetchSample, pythonSample } from './http-samples.js';

/** @typedef {import('./api-document.js').Operation} Operation */
/** @typedef {import('./request.js').ApiRequest} ApiRequest */
/** @typedef {(request: ApiRequest) => string | undefined} Sample */

/** How long the copy button confirms a copy, in ms. */
const CONFIRMED_MS = 2_000;

/** The language that a visitor has chosen. All operations of the page show it. */
export class LanguageChoice {
  #chosen = 'curl';
  /** @type {(() => void)[]} */
  #listeners = [];

  /**
   * The chosen language if it is one of these. Otherwise a language of the same kind, or the first one.
   *
   * @param {readonly string[]} languages
   */
  among(languages) {
    if (languages.includes(this.#chosen)) return this.#chosen;
    const scripts = ['EventSource', '@sluice/client', 'fetch'];
    const similar = scripts.includes(this.#chosen) ? 'fetch' : 'curl';
    return languages.includes(similar) ? similar : (languages[0] ?? '');
  }

  /** @param {string} language */
  choose(language) {
    this.#chosen = language;
    for (const listener of this.#listeners) listener();
  }

  /** @param {() => void} listener */
  onChange(listener) {
    this.#listeners.push(listener);
  }
}

/** Shows the request of a form as code, in the language that the visitor has chosen. */
export class SamplesView {
  #operation;
  #choice;
  /** @type {Map<string, Sample>} */
  #samples;
  /** @type {Map<string, HTMLButtonElement>} */
  #tabs = new Map();
  #code = element('code', '');
  #block = element('pre', 'code', this.#code);
  #note = element('p', 'note');
  #source = element('p', 'note');
  #copy = element('button', 'copy', 'Copy');
  #panel = element('div', 'sample', this.#copy, this.#block, this.#note);
  /** @type {ApiRequest | undefined} */
  #request;

  /**
   * @param {Operation} operation
   * @param {LanguageChoice} choice
   * @param {string} tokenCookie
   */
  constructor(operation, choice, tokenCookie) {
    this.#operation = operation;
    this.#choice = choice;
    this.#samples = samplesOf(operation, tokenCookie);
    for (const language of this.#samples.keys()) this.#tabs.set(language, this.#tab(language));
    this.#panel.id = `code-${operation.id}`;
    this.#panel.role = 'tabpanel';
    this.#panel.tabIndex = 0;
    this.#copy.type = 'button';
    this.#copy.addEventListener('click', () => void this.#copyCode());
    choice.onChange(() => this.#render());
  }

  get view() {
    const tabs = element('div', 'tabs', ...this.#tabs.values());
    tabs.role = 'tablist';
    tabs.ariaLabel = 'Language';
    tabs.addEventListener('keydown', (event) => this.#moveByKey(event));
    return element('div', 'samples', element('h3', '', 'Code'), tabs, this.#panel, this.#source);
  }

  /** @param {ApiRequest} request */
  update(request) {
    this.#request = request;
    this.#render();
  }

  /** @param {string} language */
  #tab(language) {
    const tab = element('button', 'tab', language);
    tab.type = 'button';
    tab.role = 'tab';
    tab.id = `code-${this.#operation.id}-${language.replaceAll(/\W/g, '')}`;
    tab.setAttribute('aria-controls', `code-${this.#operation.id}`);
    tab.addEventListener('click', () => this.#choice.choose(language));
    return tab;
  }

  /** @param {KeyboardEvent} event */
  #moveByKey(event) {
    const languages = [...this.#tabs.keys()];
    const at = languages.indexOf(this.#choice.among(languages));
    const target = /** @type {Record<string, number>} */ ({
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      Home: 0,
      End: -1,
    })[event.key];
    const language = target === undefined ? undefined : languages.at(target % languages.length);
    if (language === undefined) return;
    event.preventDefault();
    this.#choice.choose(language);
    this.#tabs.get(language)?.focus();
  }

  #render() {
    const request = this.#request;
    if (request === undefined) return;
    const language = this.#choice.among([...this.#tabs.keys()]);
    for (const [name, tab] of this.#tabs) {
      tab.ariaSelected = String(name === language);
      tab.tabIndex = name === language ? 0 : -1;
      if (name === language) this.#panel.setAttribute('aria-labelledby', tab.id);
    }
    const fault = channelFault(this.#operation, request);
    const code = fault === undefined ? this.#samples.get(language)?.(request) : undefined;
    this.#code.textContent = code ?? '';
    this.#block.hidden = code === undefined;
    this.#copy.hidden = code === undefined;
    this.#note.hidden = code !== undefined;
    this.#source.textContent = code === undefined ? '' : sourceOf(this.#operation, request, code);
    this.#note.textContent = fault ?? `${language} cannot send this request. Other languages can.`;
  }

  async #copyCode() {
    try {
      // Browsers have a clipboard only on pages with https, and on localhost.
      await navigator.clipboard.writeText(this.#code.textContent ?? '');
      this.#copy.textContent = 'Copied';
    } catch {
      getSelection()?.selectAllChildren(this.#code);
      this.#copy.textContent = 'Selected: press Ctrl+C or ⌘C';
    }
    setTimeout(() => {
      this.#copy.textContent = 'Copy';
    }, CONFIRMED_MS);
  }
}

/**
 * The samples of an operation, by language.
 *
 * @param {Operation} operation
 * @param {string} tokenCookie
 */
function samplesOf({ id, tag, method }, tokenCookie) {
  /** @type {[string, Sample][]} */
  const samples = [
    ['curl', curlSample],
    ['fetch', fetchSample],
  ];
  if (id === 'subscribe' || id === 'subscribeToMany')
    samples.push(
      ['EventSource', (request) => eventSourceSample(request, tokenCookie)],
      ['@sluice/client', clientSample],
    );
  else if (tag === 'Publishing' && method !== 'DELETE') samples.push(['@sluice/client', publisherSample]);
  samples.push(['Python', pythonSample]);
  if (hasCommand(id)) samples.push(['sluice', (request) => commandSample(id, request)]);
  return new Map(samples);
}

/**
 * Why the form does not describe a request yet.
 *
 * @param {Operation} operation
 * @param {ApiRequest} request
 */
function channelFault({ parameters }, { values }) {
  if (!parameters.some(({ name, required }) => name === 'channel' && required)) return undefined;
  const channels = channelsOf(values);
  if (channels.length === 0) return 'Enter a channel to see the code.';
  const fault = channels.map(channelNameFault).find(Boolean);
  return fault && `This channel name is not valid: ${fault}. There is no code for it.`;
}

/**
 * Says where the code has its values from, and what it may need beside them.
 *
 * @param {Operation} operation
 * @param {ApiRequest} request
 * @param {string} code
 */
function sourceOf({ credentials }, { credential }, code) {
  const values = 'The code has the values of the form above.';
  if (credential === undefined)
    return credentials.length === 0
      ? values
      : `${values} A channel that is not public needs a token: enter yours in “Publish key or token”, and the code reads one from $TOKEN.`;
  const name = credential === 'TOKEN' ? 'token' : 'publish key';
  return code.includes(credential) ? `${values} It reads the ${name} from $${credential}.` : values;
}
