import { Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

interface ReadoutValue {
  readonly metricName: string;
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly sharedLabels: Readonly<Record<string, never>>;
}

/** What a scrape reads of the histogram. */
interface Readout {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  readonly aggregator: 'sum';
  readonly values: readonly ReadoutValue[];
}

interface PlainHistogramOptions {
  readonly name: string;
  readonly help: string;
  /** The upper bounds, in increasing order. */
  readonly buckets: number[];
  readonly registry: Registry;
}

/**
 * A histogram without labels. An observation costs one search in a few numbers. prom-client's own observation makes several
 * objects and looks a name up in maps, which is too much for each event. A scrape reads the same text.
 */
export class PlainHistogram extends Histogram {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  /** How many observations are in each bucket and not in one before it. The last one has those above all bounds. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor({ name, help, buckets, registry }: PlainHistogramOptions) {
    super({ name, help, buckets, registers: [registry] });
    this.#name = name;
    this.#help = help;
    this.#bounds = buckets;
    this.#counts = new Float64Array(buckets.length + 1);
  }

  /** @param value a finite number */
  note(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  /** Both a scrape and {@link get} read the values in this form. It is not in the types of prom-client. */
  async getForPromString(): Promise<Readout> {
    const values: ReadoutValue[] = [];
    const push = (metricName: string, value: number, labels: ReadoutValue['labels'] = {}): void => {
      values.push({ metricName: `${this.#name}${metricName}`, value, labels, sharedLabels: {} });
    };
    let count = 0;
    for (const [index, more] of this.#counts.entries()) {
      count += more;
      push('_bucket', count, { le: this.#bounds[index] ?? '+Inf' });
    }
    push('_sum', this.#sum);
    push('_count', count);
    return { name: this.#name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }
}
