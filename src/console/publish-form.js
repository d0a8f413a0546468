import { brokerUrl } from './broker-url.js';
import { button, byId, element } from './element.js';
import { headerFault } from './header-fault.js';
import { record, text } from './json-value.js';
import { faultView, readProblem, viewOf } from './problem.js';
import { bodyOf, curlOf } from './publish-request.js';
import { copyOnClick } from './take-away.js';

/** @typedef {import('./publish-request.js').Publication} Publication */

/** Publishes an event. Only the key field holds the publish key. */
export class PublishForm {
  #form = byId('publish', HTMLFormElement);
  #key = byId('key', HTMLInputElement);
  #channel = byId('publish-channel', HTMLInputElement);
  #type = byId('type', HTMLInputElement);
  #data = byId('data', HTMLTextAreaElement);
  #stateKey = byId('state-key', HTMLInputElement);
  #ifLast = byId('if-last', HTMLInputElement);
  #idempotencyKey = byId('idempotency-key', HTMLInputElement);
  #deletes = byId('delete-key', HTMLInputElement);
  #closes = byId('close-channel', HTMLInputElement);
  #button = byId('publish-button', HTMLButtonElement);
  #outcome = byId('published', HTMLElement);
  #curl = byId('curl-code', HTMLElement);
  #page;

  /**
   * @param {object} page
   * @param {() => string} page.firstChannel the channel that an empty field stands for
   * @param {(channel: string) => string | undefined} page.newestId the newest id that the page has seen
   * @param {() => void} page.onFailure called when the broker or its log may be away
   */
  constructor(page) {
    this.#page = page;
  }

  listen() {
    this.#form.addEventListener('submit', (submitted) => {
      submitted.preventDefault();
      void this.#publish();
    });
    // The form's own check has found a fault, so what was shown before is about another attempt.
    this.#form.addEventListener('invalid', () => this.#outcome.replaceChildren(), { capture: true });
    this.#form.addEventListener('input', () => this.update());
    this.#data.addEventListener('keydown', (pressed) => {
      if (pressed.key === 'Enter' && (pressed.ctrlKey || pressed.metaKey)) this.#form.requestSubmit();
    });
    byId('newest-id', HTMLButtonElement).addEventListener('click', () => this.#takeNewestId());
    byId('new-key', HTMLButtonElement).addEventListener('click', () => {
      this.#idempotencyKey.value = newKey();
      this.update();
    });
    this.#button.disabled = false;
    copyOnClick(byId('copy-curl', HTMLButtonElement), () => this.#curl.textContent);
    this.update();
  }

  /** Shows the command for what the form says now. */
  update() {
    const publication = this.#publication;
    const { deletes, closes } = publication;
    this.#channel.placeholder = this.#page.firstChannel() || 'news';
    this.#data.disabled = this.#type.disabled = deletes;
    this.#stateKey.required = deletes;
    this.#button.textContent = deletes
      ? 'Delete the key'
      : closes
        ? 'Publish and end the channel'
        : 'Publish';
    this.#curl.textContent =
      curlOf({ ...publication, channel: publication.channel || 'news' }) ??
      'The data is too long for a command. Save it as a file, and send it to /publish/<channel> with curl -T.';
  }

  /** @returns {Publication} */
  get #publication() {
    return {
      channel: this.#channel.value.trim() || this.#page.firstChannel(),
      type: this.#type.value,
      data: this.#data.value,
      stateKey: this.#stateKey.value.trim(),
      ifLast: this.#ifLast.value.trim(),
      idempotencyKey: this.#idempotencyKey.value.trim(),
      deletes: this.#deletes.checked,
      closes: this.#closes.checked,
    };
  }

  #takeNewestId() {
    const { channel } = this.#publication;
    const id = channel === '' ? undefined : this.#page.newestId(channel);
    if (id === undefined) {
      const where = channel === '' ? 'the channel' : channel;
      this.#outcome.replaceChildren(element('p', 'note', `This page has not seen an id of ${where} yet.`));
      return;
    }
    this.#ifLast.value = id;
    this.update();
  }

  async #publish() {
    const publication = this.#publication;
    if (publication.channel === '') {
      this.#outcome.replaceChildren(faultView('Not published', 'Enter a channel to publish to.'));
      this.#channel.focus();
      return;
    }
    const fault =
      headerFault('publish key', this.#key.value.trim()) ??
      headerFault('idempotency key', publication.idempotencyKey);
    if (fault !== undefined) {
      this.#outcome.replaceChildren(faultView('Not published', fault));
      return;
    }
    this.#outcome.setAttribute('aria-busy', 'true');
    this.#outcome.replaceChildren(await this.#send(publication));
    this.#outcome.removeAttribute('aria-busy');
    this.#outcome.scrollIntoView({ block: 'nearest' });
  }

  /** @param {Publication} publication */
  async #send(publication) {
    try {
      const { idempotencyKey } = publication;
      const response = await fetch(brokerUrl('publish'), {
        method: 'POST',
        headers: {
          authorization: `Bearer ${this.#key.value.trim()}`,
          'content-type': 'application/json',
          ...(idempotencyKey !== '' && { 'idempotency-key': idempotencyKey }),
        },
        body: JSON.stringify(bodyOf(publication)),
      });
      if (!response.ok) return await this.#refusalOf(response);
      const { channel, id } = record(/** @type {unknown} */ (await response.json()));
      const isRepeat = response.headers.get('idempotent-replayed') === 'true';
      if (!isRepeat) return doneView(publication, text(channel), text(id));
      const words = 'The idempotency key was used before. Nothing was published again; the first event is ';
      return element('p', 'done', words, element('code', '', text(id)));
    } catch (error) {
      this.#page.onFailure();
      const detail = error instanceof Error ? error.message : String(error);
      return faultView('Not published', `The request failed: ${detail}.`);
    }
  }

  /** @param {Response} response */
  async #refusalOf(response) {
    if (response.status === 503) this.#page.onFailure();
    const problem = await readProblem(response);
    const view = viewOf(response.status, problem);
    const { tail } = problem;
    if (tail === '') return view;
    const use = button('small', `Use ${tail}`, () => {
      this.#ifLast.value = tail;
      this.update();
    });
    view.append(use);
    return view;
  }
}

/**
 * Says what the broker has done.
 *
 * @param {Publication} publication
 * @param {string} channel
 * @param {string} id
 */
function doneView(publication, channel, id) {
  const { deletes, closes, stateKey } = publication;
  const isEvent = 'data' in bodyOf(publication);
  const what = deletes
    ? `Deleted the key ${stateKey} of ${channel}`
    : isEvent
      ? `Published to ${channel}`
      : `Ended ${channel}`;
  const code = element('code', '', id);
  return element(
    'p',
    'done',
    `${what} as `,
    code,
    closes && (isEvent || deletes) ? ', and ended the channel' : '',
  );
}

/** A random key. `crypto.randomUUID` is only there in secure contexts. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
