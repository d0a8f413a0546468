import { expect, test } from 'vitest';
import { benchTables, linesTable } from '../../../bench/figure-tables.ts';
import type { Figures } from '../../../bench/figures.ts';
import type { Outcome } from '../../../bench/outcome.ts';

function outcome(scenario: string, system: string, log: string, figures: Figures): Outcome {
  return { scenario, system, log, figures, runs: [figures] };
}

test('a table of the systems with one log begins with what Sluice is worst at, and says what was not clean', () => {
  const { memory = '', disk = '' } = benchTables([
    outcome('steady', 'sluice', 'memory', { cpuPerDelivery: 9 }),
    outcome('steady', 'nchan', 'memory', { cpuPerDelivery: 10, lost: 3 }),
    outcome('channels', 'sluice', 'memory', { cpuPerPublish: 30 }),
    outcome('channels', 'nchan', 'memory', { cpuPerPublish: 25 }),
    outcome('ingest', 'sluice', 'memory', { publishesPerSecond: 40_000 }),
    outcome('ingest', 'nchan', 'memory', { publishesPerSecond: 20_000 }),
    outcome('batch', 'sluice', 'memory', { publishesPerSecond: 500_000 }),
    outcome('steady', 'mercure', 'disk', { cpuPerDelivery: 25 }),
  ]);
  expect(memory.split('\n')).toEqual([
    '|  | sluice | nchan | sluice to the best other |',
    '| --- | ---: | ---: | ---: |',
    '| channels: CPU/publish | 30 µs | 25 µs | **1.20** |',
    '| steady: CPU/delivery | 9 µs | 10 µs | 0.90 |',
    '| ingest: publishes/s | 40,000 | 20,000 | 2 |',
    '| batch: publishes/s | 500,000 |  |  |',
    '',
    'Not clean: nchan in steady: 3 lost.',
  ]);
  expect(disk).toContain('| steady: CPU/delivery | 25 µs |');
});

test('lines of JSON give a table of those alone and one of those with Redis; the floor is no rival', () => {
  const text = linesTable(
    [
      '{"scenario":"steady","system":"floor","CPUus/deliv":5}',
      '{"scenario":"steady","system":"nchan","CPUus/deliv":10,"p99ms":NaN}',
      '{"scenario":"steady","system":"sluice","CPUus/deliv":9}',
      'idle      mercure        not here: left out',
      '{"scenario":"steady","system":"sluice-redis","CPUus/deliv":12}',
    ].join('\n'),
  );
  expect(text.split('\n').filter((line) => line.startsWith('| steady'))).toEqual([
    '| steady: CPU/delivery | 5 µs | 10 µs | 9 µs | 0.90 |',
    '| steady: CPU/delivery | 12 µs |',
  ]);
});
