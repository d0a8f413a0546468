/** 128 (2^7) steps in each power of two: the error is below 1 %, from 1 µs to half an hour. */
const STEPS = 7;
const BUCKETS = 32 << STEPS;

/** Counts durations in µs in constant space, so that millions of them cost next to nothing. */
export class LatencyHistogram {
  readonly counts: Uint32Array<ArrayBuffer>;
  #max: number;

  /** Adds the `counts` and `max` of a histogram from another process. */
  constructor(counts = new Uint32Array(BUCKETS), max = 0) {
    this.counts = counts;
    this.#max = max;
  }

  get max(): number {
    return this.#max;
  }

  record(micros: number): void {
    const value = micros < 0 ? 0 : micros | 0;
    const exponent = 31 - Math.clz32(value | 1);
    const shift = exponent > STEPS ? exponent - STEPS : 0;
    const index = (shift << STEPS) + (value >> shift);
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    if (value > this.#max) this.#max = value;
  }

  add(other: LatencyHistogram): void {
    for (const [index, count] of other.counts.entries()) {
      if (count > 0) this.counts[index] = (this.counts[index] ?? 0) + count;
    }
    this.#max = Math.max(this.#max, other.max);
  }

  /** Returns a quantile in µs: the upper end of the step in which this share of all values is reached. NaN without values. */
  percentile(share: number): number {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    if (total === 0) return Number.NaN;
    let seen = 0;
    for (const [index, count] of this.counts.entries()) {
      seen += count;
      if (count > 0 && seen >= share * total) return Math.min(this.#max, upperEnd(index));
    }
    return this.#max;
  }
}

/** The inverse of the index in `record`. */
function upperEnd(index: number): number {
  const shift = Math.max(0, (index >> STEPS) - 1);
  return ((index - (shift << STEPS) + 1) << shift) - 1;
}
