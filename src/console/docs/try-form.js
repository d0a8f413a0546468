import { element } from '../element.js';
import { headerFault } from '../header-fault.js';
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

/** Parameters that few clients need, by place and name. The form folds them, so that its button is near. */
const RARE = new Set([
  'query last_event_id',
  'query lastEventId',
  'query lastEventID',
  'query last-event-id',
  'query Last-Event-ID',
  'query heartbeat',
  'query wait',
  'query only',
  'query plain',
]);

/** A form for an operation's parameters and body. Sends the request, shows the answer, and shows the request as code. */
export class TryForm {
  #api;
  #operation;
  #visitor;
  #samples;
  /** @type {Map<Parameter, HTMLInputElement>} */
  #fields = new Map();
  #rare = element('details', 'rare');
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
    for (const parameter of parameters) if (!isRare(parameter)) form.append(this.#field(parameter));
    const rare = parameters.filter(isRare).map((parameter) => this.#field(parameter));
    if (rare.length > 0) {
      const names = parameters.filter(isRare).map(({ name }) => name);
      const summary = element('summary', '', 'More parameters ', element('span', 'kind', names.join(', ')));
      this.#rare.append(summary, element('div', 'rare-fields', ...rare));
      form.append(this.#rare);
    }
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
    if (takesNoValue(parameter)) {
      input.type = 'checkbox';
      input.value = '';
    }
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
    for (const [parameter, input] of this.#fields) {
      const value = parameters[`${parameter.place} ${parameter.name}`];
      if (takesNoValue(parameter)) input.checked = value !== undefined;
      else input.value = value ?? '';
    }
    this.#rare.open = Object.keys(parameters).some((key) => RARE.has(key));
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
      const credential = this.#visitor.credential();
      const isSent = credential !== '' && this.#operation.credentials.length > 0;
      const fault =
        (isSent ? headerFault('publish key or token', credential) : undefined) ??
        Object.entries(shown)
          .map(([name, value]) => headerFault(`header ${name}`, value))
          .find(Boolean);
      if (fault !== undefined) {
        this.#outcome.replaceChildren(faultView('Not sent', fault));
        return;
      }
      const headers = new Headers(shown);
      if (isSent) headers.set('authorization', `Bearer ${credential}`);
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
    /** @type {[Parameter, string | undefined][]} */
    const fields = [...this.#fields].map(([parameter, { value, checked }]) => [
      parameter,
      takesNoValue(parameter) ? (checked ? '' : undefined) : value || undefined,
    ]);
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
  const kindView = element('span', 'kind', ...inline(kind));
  const isCheckbox = control instanceof HTMLInputElement && control.type === 'checkbox';
  return element(
    'label',
    'field',
    element('span', 'name', ...(isCheckbox ? [control, ' '] : []), name, ' ', kindView),
    ...(isCheckbox ? [] : [control]),
    element('span', 'note', ...inline(description)),
  );
}

/** @param {Parameter} parameter */
function takesNoValue({ schema }) {
  return schema['const'] === '';
}

/** @param {Parameter} parameter */
function isRare({ place, name }) {
  return RARE.has(`${place} ${name}`);
}
