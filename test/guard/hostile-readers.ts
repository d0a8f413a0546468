import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../src/events/errors.ts';
import { growth, isLinear } from '../support/growth.ts';

/** By name: the largest input of a reader, in characters, and the reader. */
export type Readers = Readonly<Record<string, readonly [size: number, read: (text: string) => unknown]>>;

/** No reader takes more than linear time for an input that repeats one of the units, whether or not it accepts the input. */
export function hostileReaders(readers: Readers, units: readonly string[]): void {
  describe.each(Object.entries(readers))('%s', (_what, [size, read]) => {
    test.each(units.map((unit) => [JSON.stringify(unit), unit]))('made of %s', (_name, unit) => {
      const grown = growth((length) => {
        try {
          read(unit.repeat(Math.ceil(length / unit.length)).slice(0, length));
        } catch (error) {
          if (!(error instanceof BrokerError)) throw error;
        }
      }, size);
      expect(grown).toSatisfy(isLinear);
    });
  });
}
