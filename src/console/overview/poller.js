import { BrokerFault } from './broker-api.js';

/** From the start of a request to the start of the next one, if the answer is quick, in ms. */
export const INTERVAL_MS = 2_000;
/** After a fault, in ms. */
const AFTER_FAULT_MS = 5_000;
/** A request that takes longer than this is called slow, in ms. */
const SLOW_MS = 3_000;

/**
 * Asks again and again, one request at a time. It waits at least as long as the answer took, so that a slow broker is asked
 * less often.
 *
 * @template T
 */
export class Poller {
  #options;
  /** @type {AbortController | undefined} */
  #running;

  /**
   * @param {object} options
   * @param {(signal: AbortSignal) => Promise<T>} options.ask
   * @param {(answer: T) => void} options.onAnswer
   * @param {(fault: BrokerFault) => void} options.onFault Polling goes on afterwards, unless the fault blames the key.
   * @param {() => void} [options.onSlow] called when a request takes long, before its answer
   */
  constructor(options) {
    this.#options = options;
  }

  /** Asks at once. Does nothing when it polls already. */
  start() {
    if (this.#running !== undefined) return;
    this.#running = new AbortController();
    void this.#poll(this.#running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = undefined;
  }

  /** @param {AbortSignal} signal */
  async #poll(signal) {
    while (!signal.aborted) {
      const began = performance.now();
      const slow = setTimeout(() => !signal.aborted && this.#options.onSlow?.(), SLOW_MS);
      const fault = await this.#askOnce(signal);
      clearTimeout(slow);
      if (signal.aborted) return;
      if (fault?.blamesKey === true) {
        this.stop();
        return;
      }
      const took = performance.now() - began;
      const pause = fault === undefined ? INTERVAL_MS - took : Math.max(AFTER_FAULT_MS, fault.waitMs);
      await sleep(Math.max(pause, took), signal);
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<BrokerFault | undefined>}
   */
  async #askOnce(signal) {
    const { ask, onAnswer, onFault } = this.#options;
    try {
      const answer = await ask(signal);
      if (!signal.aborted) onAnswer(answer);
      return undefined;
    } catch (error) {
      if (!(error instanceof BrokerFault)) throw error;
      if (!signal.aborted) onFault(error);
      return error;
    }
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal ends the sleep
 * @returns {Promise<void>}
 */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
