/** How long the plots go back, in s. */
export const HISTORY_S = 300;
/** Samples further apart than this are not connected by a line, in s. */
const GAP_S = 45;

/**
 * @typedef {object} Replica
 * @property {string} replica
 * @property {string} version
 * @property {number} uptime in s
 * @property {number} streams
 * @property {number | undefined} published since the start of the replica; undefined when an older version does not say it
 * @property {number | undefined} delivered
 */

/** @typedef {{ published: number | null, delivered: number | null }} Rates events a second; null while they are not known */

/** @typedef {Rates & { at: number, connections: number | null }} Sample `at` in s since 1970 */

/** Turns the counts of replicas into events a second. Keeps the samples of the last minutes. */
export class RateHistory {
  /** The oldest first.
   * @type {Sample[]} */
  samples = [];
  /** The last counts of each replica.
   * @type {Map<string, { readonly at: number, readonly counts: Replica }>} */
  #last = new Map();

  /**
   * Returns the rates of each replica by its name.
   *
   * @param {number} at in s since 1970
   * @param {readonly Replica[]} replicas those that have answered
   * @returns {ReadonlyMap<string, Rates>}
   */
  add(at, replicas) {
    /** @type {Map<string, Rates>} */
    const rates = new Map();
    for (const counts of replicas) {
      const last = this.#last.get(counts.replica);
      this.#last.set(counts.replica, { at, counts });
      const since = (/** @type {'published' | 'delivered'} */ name) =>
        perSecond(last?.counts[name], counts[name], at - (last?.at ?? at));
      rates.set(counts.replica, { published: since('published'), delivered: since('delivered') });
    }
    for (const [name, last] of this.#last) if (at - last.at > HISTORY_S) this.#last.delete(name);
    // The clock may have been set back. A plot needs its samples in order.
    this.samples = this.samples.filter((sample) => sample.at < at);
    const before = this.samples.at(-1);
    if (before !== undefined && at - before.at > GAP_S)
      this.samples.push({ at: before.at + 1, published: null, delivered: null, connections: null });
    this.samples.push({
      at,
      published: sum([...rates.values()].map(({ published }) => published)),
      delivered: sum([...rates.values()].map(({ delivered }) => delivered)),
      connections: sum(replicas.map(({ streams }) => streams)),
    });
    this.samples = this.samples.filter((sample) => at - sample.at <= HISTORY_S);
    return rates;
  }
}

/**
 * @param {number | undefined} before
 * @param {number | undefined} now
 * @param {number} seconds
 */
function perSecond(before, now, seconds) {
  if (before === undefined || now === undefined || seconds <= 0 || now < before) return null;
  return (now - before) / seconds;
}

/** @param {readonly (number | null)[]} values */
function sum(values) {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
}
