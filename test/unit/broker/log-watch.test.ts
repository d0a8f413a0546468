import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LogWatch } from '../../../src/broker/log-watch.ts';
import { HEALTHY } from '../../../src/log/event-log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a disk that fails and recovers all the time does not fill the log', () => {
  const lines: string[] = [];
  const watch = new LogWatch(pino({ level: 'info' }, { write: (line) => void lines.push(line) }), 'disk');
  for (let i = 0; i < 1_000; i++) {
    watch.onHealth({ up: false, reason: 'disk', detail: 'disk I/O error', slotsDown: 0 });
    watch.onHealth(HEALTHY);
    watch.onHealth(HEALTHY);
  }
  expect(lines).toHaveLength(10);
  watch.onHealth({ up: false, reason: 'timeout', detail: 'late', slotsDown: 0 });
  expect(watch.diskFails).toBe(true);
  vi.advanceTimersByTime(10_000);
  expect(lines).toHaveLength(11);
  expect(JSON.parse(lines[10] ?? '')).toMatchObject({ reason: 'timeout', unlogged: 1_991 });
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(11);
});
