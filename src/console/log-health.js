import { brokerUrl } from './broker-url.js';
import { record, text } from './json-value.js';

const PERIOD_MS = 5_000;
const PATIENCE_MS = 4_000;

/**
 * Asks whether the broker's log is up, while the page is connected and visible. A stream stays open while the log is down, so
 * it does not say so.
 */
export class LogHealth {
  #key;
  #onChange;
  #isRunning = false;
  /** Whether `/readyz` is on another port than the page. Then only a key gets an answer, from `/status`. */
  #isElsewhere = false;
  #isAsking = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** What is wrong with the log, such as `down: <reason>`; empty when it is up, or when nobody says. */
  trouble = '';

  /**
   * @param {() => string} key the publish key of the page
   * @param {(isKnown: boolean) => void} onChange called with false when nobody says any more how the log is
   */
  constructor(key, onChange) {
    this.#key = key;
    this.#onChange = onChange;
    document.addEventListener('visibilitychange', () => this.check());
  }

  /** @param {boolean} isRunning */
  run(isRunning) {
    if (isRunning === this.#isRunning) return;
    this.#isRunning = isRunning;
    this.trouble = '';
    this.check();
  }

  /** Asks now, and then again and again. */
  check() {
    clearTimeout(this.#timer);
    if (this.#isRunning && !document.hidden && !this.#isAsking) void this.#ask();
  }

  async #ask() {
    this.#isAsking = true;
    const answer = await this.#read().catch(() => undefined);
    this.#isAsking = false;
    if (!this.#isRunning) return;
    this.#timer = setTimeout(() => this.check(), PERIOD_MS);
    const trouble = answer ?? '';
    if (trouble === this.trouble) return;
    this.trouble = trouble;
    this.#onChange(answer !== undefined);
  }

  /** @returns {Promise<string | undefined>} undefined when nobody says */
  async #read() {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    if (!this.#isElsewhere) {
      const response = await fetch(brokerUrl('readyz'), { cache: 'no-store', signal });
      if (response.status !== 404) {
        const { checks } = record(/** @type {unknown} */ (await response.json()));
        const log = text(record(checks)['log']);
        return log === 'up' ? '' : log || undefined;
      }
      this.#isElsewhere = true;
    }
    const key = this.#key();
    if (key === '') return undefined;
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch(brokerUrl('status'), { headers, cache: 'no-store', signal });
    if (!response.ok) return undefined;
    const { up, trouble } = record(record(/** @type {unknown} */ (await response.json()))['log']);
    return up === false ? `down: ${text(trouble) || 'it does not answer'}` : '';
  }
}
