import { element } from '../element.js';
import { record, text } from '../json-value.js';

/** How many characters of a body are shown. */
const MAX_SHOWN = 100_000;

/** Shows an answer: the status at once, and the body as it arrives, because a stream has no end. The headers are folded. */
export class AnswerView {
  #status = element('strong', '');
  #detail = element('p', '');
  #body = element('pre', 'code body');
  #note = element('p', 'note');
  #headers = element('pre', 'code headers');
  view = element(
    'div',
    'came',
    this.#status,
    this.#detail,
    this.#body,
    this.#note,
    element('details', '', element('summary', 'note', 'Headers of the answer'), this.#headers),
  );

  /** @param {Response} response */
  async show(response) {
    this.view.classList.add(response.ok ? 'good' : 'bad');
    this.#status.textContent = `${response.status} ${response.statusText}`;
    this.#headers.textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    if (response.body === null) return;
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
    if (type.trim().endsWith('json')) {
      const json = await response.text();
      if (type.trim() === 'application/problem+json') this.#detail.textContent = detailIn(json);
      this.#add(pretty(json));
      return;
    }
    const isStream = type.trim() === 'text/event-stream';
    if (isStream) this.note('The stream is live: events appear here as they come.');
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) this.#add(part.value);
    if (isStream) this.note('The stream has ended.');
  }

  /** @param {string} remark replaces the one before */
  note(remark) {
    this.#note.textContent = remark;
  }

  /** @param {string} part */
  #add(part) {
    const shown = `${this.#body.textContent}${part}`;
    this.#body.textContent = shown.length > MAX_SHOWN ? `…${shown.slice(-MAX_SHOWN)}` : shown;
  }
}

/** @param {string} json */
function pretty(json) {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** @param {string} json a problem document */
function detailIn(json) {
  try {
    return text(record(JSON.parse(json))['detail']);
  } catch {
    return '';
  }
}
