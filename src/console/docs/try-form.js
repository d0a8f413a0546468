import { element } from '../element.js';
import { faultView } from '../problem.js';
import { AnswerView } from './answer-view.js';
import { inline } from './prose.js';
import { requestOf } from './request.js';
import { SamplesView } from './samples-view.js';
import { kindOf } from './schema-view.js';

/** @typedef {import('./api-document.js').ApiDocument} ApiDocument */
/** @typedef {import('./api-document.js').Operation} Operation */
/** @typedef {import('./api-document.js').Parameter} Parameter */
/** @typedef {import('./api-document.js').Example} Example */
/** @typedef {import('./request.js').ApiRequest} ApiRequest */

/**
 * What all operations of the page share.
 *
 * @typedef {object} Visitor
 * @property {() => string} credential What the visitor has entered as publish key or token.
 * @property {(listener: () => void) => void} onCredential Calls the listener after each change of the credential.
 * @property {import('./samples-view.js').LanguageChoice} language
 */

/** How many lines of the body the form shows at least, and at most. */
const BODY_LINES = [3, 16];

/** A form for an operation's parameters and body. Sends the request, shows the answer, and shows the request as code. */
export class TryForm {
  #api;
  #operation;
  #visitor;
  #samples;
  /** @type {Map<Parameter, HTMLInputElement>} */
  #fields = new Map();
  #body = element('textarea', '');
  #send = element('button', 'primary', 'Send');
  #stop = element('button', '', 'Stop');
  #outcome = element('div', 'outcome');
  /** @type {AbortController | undefined} */
  #running;

  /**
   * @param {ApiDocument} api
   * @param {Operation} operation
   * @param {Visitor} visitor
   */
  constructor(api, operation, visitor) {
    this.#api = api;
    this.#operation = operation;
    this.#visitor = visitor;
    this.#samples = new SamplesView(operation, visitor.language, api.tokenCookie);
    this.#outcome.role = 'status';
    this.#stop.type = 'button';
    this.#stop.disabled = true;
    this.#body.name = 'body';
    this.#body.spellcheck = false;
  }

  get view() {
    const { parameters, body, examples } = this.#operation;
    const form = element('form', 'try');
    form.autocomplete = 'off';
    if (examples.length > 1) form.append(this.#examples());
    for (const parameter of parameters) form.append(this.#field(parameter));
    if (body) form.append(labelled(this.#body, 'Body', body.mediaType, body.description));
    form.append(element('div', 'buttons', this.#send, this.#stop), this.#outcome);
    const [first] = examples;
    if (first) this.#fill(first);
    form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      void this.#run();
    });
    form.addEventListener('input', () => this.#showSamples());
    this.#visitor.onCredential(() => this.#showSamples());
    this.#showSamples();
    this.#stop.addEventListener('click', () => this.#running?.abort());
    return element('div', 'tryout', form, this.#samples.view);
  }

  #examples() {
    const { examples } = this.#operation;
    const choice = element('select', '', ...examples.map(({ summary }) => element('option', '', summary)));
    choice.name = 'example';
    choice.addEventListener('change', () => {
      const example = examples[choice.selectedIndex];
      if (!example) return;
      this.#fill(example);
      this.#showSamples();
    });
    return labelled(choice, 'Example', '', '');
  }

  /** @param {Parameter} parameter */
  #field(parameter) {
    const { name, place, description, required, schema } = parameter;
    const input = element('input', '');
    input.name = `${place} ${name}`;
    input.required = required;
    input.spellcheck = false;
    input.autocapitalize = 'none';
    this.#fields.set(parameter, input);
    return labelled(
      input,
      name,
      `${place}, ${required ? 'required' : 'optional'}; ${kindOf(this.#api, schema)}`,
      schema['type'] === 'array' ? `${description} Here, separate them with blanks.` : description,
    );
  }

  /** @param {Example} example */
  #fill({ parameters, body }) {
    for (const [{ name, place }, input] of this.#fields) input.value = parameters[`${place} ${name}`] ?? '';
    this.#body.value =
      typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body, null, 2);
    const [least = 0, most = 0] = BODY_LINES;
    this.#body.rows = Math.min(Math.max(this.#body.value.split('\n').length, least), most);
  }

  /** Sends the request. Aborts the previous one, which may be a stream. */
  async #run() {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#stop.disabled = false;
    const answer = new AnswerView();
    try {
      const { url, method, headers: shown, body } = this.#request();
      const headers = new Headers(shown);
      const credential = this.#visitor.credential();
      if (credential !== '' && this.#operation.credentials.length > 0)
        headers.set('authorization', `Bearer ${credential}`);
      const init = { method, headers, signal: running.signal, ...(body !== undefined && { body }) };
      const response = await fetch(url, init);
      this.#outcome.replaceChildren(answer.view);
      await answer.show(response);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      if (running.signal.aborted) answer.note('Stopped.');
      else this.#outcome.replaceChildren(faultView('No answer', `The request failed: ${detail}.`));
    } finally {
      if (this.#running === running) this.#stop.disabled = true;
    }
  }

  #showSamples() {
    this.#samples.update(this.#request());
  }

  /** @returns {ApiRequest} */
  #request() {
    /** @type {[Parameter, string][]} */
    const fields = [...this.#fields].map(([parameter, { value }]) => [parameter, value]);
    const hasCredential = this.#visitor.credential() !== '';
    return requestOf(this.#operation, { fields, body: this.#body.value, hasCredential });
  }
}

/**
 * @param {HTMLElement} control
 * @param {string} name
 * @param {string} kind
 * @param {string} description
 */
function labelled(control, name, kind, description) {
  return element(
    'label',
    'field',
    element('span', 'name', name, ' ', element('span', 'kind', ...inline(kind))),
    control,
    element('span', 'note', ...inline(description)),
  );
}
