import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
const ids: string[] = [];
beforeAll(async () => {
  broker = await startBroker({ SLUICE_HISTORY_SIZE: '3' });
  for (const data of ['one', 'two', 'three', 'four', 'five'])
    ids.push(await broker.publish('positions', data));
});
afterAll(() => broker.kill());

/** The data of events, and the types of the broker's own events, before `sluice:ready`. */
async function replayed(query: string, channel = 'positions'): Promise<string[]> {
  const stream = await openStream(`${broker.url}/events/${channel}?${query}`);
  expect(stream.status).toBe(200);
  const events = await stream.until('sluice:ready');
  stream.close();
  return events.slice(0, -1).map(({ event, data }) => event ?? data);
}

describe('?last=N starts N events back, without a gap', () => {
  test.each([
    ['0', []],
    ['1', ['five']],
    ['2', ['four', 'five']],
    ['3', ['three', 'four', 'five']],
    ['4', ['three', 'four', 'five']],
    ['9999999999', ['three', 'four', 'five']],
  ])('last=%s', async (count, data) => {
    expect(await replayed(`last=${count}`)).toEqual(data);
  });

  test('on a channel without events', async () => {
    expect(await replayed('last=5', 'unused')).toEqual([]);
  });
});

describe('?since= starts at a time', () => {
  test('in the future: live events only', async () => {
    expect(await replayed(`since=${Date.now() + 3_600_000}`)).toEqual([]);
  });

  test('before the first kept event: a gap, then all kept events', async () => {
    expect(await replayed('since=0')).toEqual(['sluice:gap', 'three', 'four', 'five']);
  });

  test('before the first event ever: all events, without a gap', async () => {
    await broker.publish('short', 'one');
    await broker.publish('short', 'two');
    expect(await replayed('since=0', 'short')).toEqual(['one', 'two']);
    expect(await replayed('since=1', 'short')).toEqual(['one', 'two']);
  });

  test('of an event: that event comes first', async () => {
    const ms = (ids[4] ?? '').split('-')[0] ?? '';
    const wanted = ['three', 'four', 'five'].slice(ids.slice(2).findIndex((id) => id.startsWith(ms)));
    const iso = new Date(Number(ms)).toISOString();
    expect(await replayed(`since=${ms}`)).toEqual(wanted);
    expect(await replayed(`since=${iso}`)).toEqual(wanted);
  });

  test.each([
    '2026-01-31T12:00:00Z',
    '2026-01-31t12:00:00z',
    '2026-01-31T12:00:00.5Z',
    '2026-01-31T12:00:00.123456789Z',
    '2026-01-31T12:00:00+05:30',
    '2026-01-31T12:00:00%2B05:30',
    '2026-01-31T12:00:00-08:00',
    '2024-02-29T12:00:00Z',
    '2016-12-31T23:59:60Z',
    '1970-01-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '1700000000000',
  ])('in the form %s', async (since) => {
    expect(await replayed(`since=${since}`, 'unused')).toEqual([]);
  });
});

describe('?last= and ?since= are refused', () => {
  test.each([
    ['no number', 'last=x'],
    ['nothing', 'last='],
    ['a negative number', 'last=-1'],
    ['a fraction', 'last=1.5'],
    ['an exponent', 'last=1e3'],
    ['hex', 'last=0x10'],
    ['a blank', 'last=%201'],
    ['a number too long to be meant', 'last=99999999999'],
    ['twice', 'last=1&last=2'],
    ['both', 'last=1&since=0'],
    ['nothing', 'since='],
    ['a word', 'since=yesterday'],
    ['a date alone', 'since=2026-01-31'],
    ['a time without a zone', 'since=2026-01-31T12:00:00'],
    ['a month that there is not', 'since=2026-13-01T00:00:00Z'],
    ['a day that there is not', 'since=2026-02-30T00:00:00Z'],
    ['an hour that there is not', 'since=2026-01-31T25:00:00Z'],
    ['a year of two digits', 'since=26-01-31T12:00:00Z'],
    ['the form of HTTP', 'since=Sat,%2031%20Jan%202026%2012:00:00%20GMT'],
    ['a negative number', 'since=-1'],
    ['a fraction', 'since=1.5'],
    ['an event id', 'since=1700000000000-0'],
    ['more digits than a time has', 'since=1700000000000000000'],
    ['twice', 'since=1&since=2'],
  ])('%s: %s', async (_what, query) => {
    const answer = await exchange(broker.port, { path: `/events/positions?${query}` });
    expect(readProblem(answer, 400).code).toBe('invalid-query');
  });
});
