import { element } from '../element.js';

/** How many characters of a body are shown. */
const MAX_SHOWN = 100_000;

/** Shows an answer: status and headers at once, and the body as it arrives, because a stream has no end. */
export class AnswerView {
  #status = element('strong', '');
  #headers = element('pre', 'code headers');
  #body = element('pre', 'code body');
  view = element('div', 'came', this.#status, this.#headers, this.#body);

  /** @param {Response} response */
  async show(response) {
    this.view.classList.add(response.ok ? 'good' : 'bad');
    this.#status.textContent = `${response.status} ${response.statusText}`;
    this.#headers.textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    if (response.body === null) return;
    const [type = ''] = (response.headers.get('content-type') ?? '').split(';');
    if (type.trim().endsWith('json')) {
      this.#add(pretty(await response.text()));
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) this.#add(part.value);
    if (type.trim() === 'text/event-stream') this.note('The stream has ended.');
  }

  /** @param {string} remark */
  note(remark) {
    this.view.append(element('p', 'note', remark));
  }

  /** @param {string} text */
  #add(text) {
    const shown = `${this.#body.textContent}${text}`;
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
