import { expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { EventRun } from '../../../src/events/event-run.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId, NewEvent } from '../../../src/events/event.ts';
import { encodeRecord } from '../../../src/events/record.ts';
import { EVENT_FRAMES } from '../../../src/stream/event-frames.ts';
import { PlainConnection } from '../../../src/stream/plain-connection.ts';
import { recordingWire } from '../../support/recording-wire.ts';

const NEWS = parseChannelName('news');
const DELETED = { type: 'sluice:deleted', data: '{}' };
const CLEARED = { type: 'sluice:cleared', data: '{"channel":"news"}' };

function runOf(...events: readonly NewEvent[]): EventRun {
  const stored = events.map((event, i) => ({
    id: `${i + 1}-0` as EventId,
    prev: `${i}-0` as EventId,
    record: Buffer.from(encodeRecord(event)),
  }));
  return new EventRun(ORIGIN, stored);
}

/** A plain stream on a wire that records what is done with it. */
function open(hasCursor = false): { stream: PlainConnection; written: (Buffer | string)[]; done: string[] } {
  const wire = recordingWire();
  const { written, done } = wire;
  const own = {
    expiry: { at: Infinity, reason: 'aged' },
    channels: NEWS,
    holder: undefined,
    heartbeatEvents: false,
  } as const;
  const context = { pulse: { now: 0 }, loop: new FairLoop() };
  const stream = new PlainConnection(wire, context, own, hasCursor);
  stream.onClose = (reason) => done.push(reason);
  return { stream, written, done };
}

test('a run without events of the broker is written in the bytes that all streams share', () => {
  const run = runOf({ data: 'one' }, { type: 'created', data: 'two' }, { type: 'sluice', data: 'three' });
  const { stream, written } = open();
  stream.deliver(run);
  expect(written).toHaveLength(1);
  expect(written[0]).toBe(run.as(EVENT_FRAMES).plain);
});

test('events of the broker are left out of a run', () => {
  const { stream, written, done } = open(true);
  stream.deliver(runOf(DELETED, { data: 'one' }, DELETED));
  stream.deliver(runOf(DELETED));
  stream.ready();
  expect(written.map(String)).toEqual(['id: 2-0\ndata: one\n\n']);
  expect(done).toEqual([]);
});

test.each([
  ['with a cursor', true, []],
  ['after an event', false, [runOf({ data: 'one' })]],
])('a deletion of all events cuts a stream %s', (_when, hasCursor, runs) => {
  const { stream, written, done } = open(hasCursor);
  for (const run of runs) stream.deliver(run);
  const before = written.length;
  stream.deliver(runOf(CLEARED, { data: 'two' }));
  expect(written).toHaveLength(before);
  expect(done).toEqual(['gap', 'breakOff']);
});

test('a deletion is left out for a reader that has no events from before', () => {
  const { stream, written, done } = open();
  stream.deliver(runOf(CLEARED, { data: 'two' }));
  expect(written.map(String)).toEqual(['id: 2-0\ndata: two\n\n']);
  expect(done).toEqual([]);
});

test.each([
  ['a gap', (stream: PlainConnection) => stream.gap(), ['gap', 'breakOff']],
  ['a drain', (stream: PlainConnection) => stream.end('drained'), ['drained', 'breakOff']],
  ['the end of the channel', (stream: PlainConnection) => stream.ended(), ['ended', 'end']],
])('%s writes nothing', (_what, happen, expected) => {
  const { stream, written, done } = open();
  happen(stream);
  expect(done).toEqual(expected);
  expect(written.join('')).toBe('');
});
