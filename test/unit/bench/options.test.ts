import { describe, expect, test } from 'vitest';
import { UsageError, readOptions } from '../../../bench/options.ts';
import type { Options } from '../../../bench/options.ts';
import { missingFor } from '../../../bench/scenario.ts';

function options(...args: readonly string[]): Options {
  const read = readOptions(args);
  if (read === 'help') throw new Error('These options do not ask for help.');
  return read;
}

const ALL = 'sluice,nchan,mercure,mercure-1,mercure-local,centrifugo,better-sse';

describe('the options of the benchmark', () => {
  test('a scale scales connections and events, but not what a storm has missed', () => {
    const { scenarios } = options('--scenarios', 'hot,storm', '--scale', '0.1');
    expect(scenarios).toMatchObject([
      { name: 'hot', connections: 1_000, events: 5 },
      { name: 'storm', connections: 500, events: 300, missed: 100 },
    ]);
  });

  test.each([
    ['steady', ALL],
    ['storm', 'sluice,nchan,mercure,mercure-1,centrifugo'],
    ['replay-storm', 'sluice,nchan,mercure,mercure-1,centrifugo'],
    ['many', 'sluice,nchan,mercure,mercure-1,mercure-local,centrifugo'],
    ['batch', 'sluice,centrifugo'],
    ['compressed', 'sluice,mercure,mercure-1,mercure-local'],
  ])('%s runs on those that have what it needs', (name, able) => {
    const { scenarios, peers } = options('--scenarios', name, '--systems', ALL);
    const names = peers.filter((peer) => scenarios.every((one) => missingFor(one, peer) === undefined));
    expect(names.map((peer) => peer.name).join(',')).toBe(able);
  });

  test.each([
    ['--scenarios', 'steadily'],
    ['--systems', 'pushpin'],
    ['--log', 'tape'],
    ['--scale', '0'],
    ['--what'],
  ])('%s %s is refused', (...args) => {
    expect(() => readOptions(args)).toThrow(UsageError);
  });
});
