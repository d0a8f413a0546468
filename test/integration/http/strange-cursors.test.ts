import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { StreamOptions } from '../../support/sse-reader.ts';

let broker: Broker;
let tail: string;
beforeAll(async () => {
  broker = await startBroker();
  await broker.publish('strange', 'one');
  tail = await broker.publish('strange', 'two');
});
afterAll(() => broker.kill());

/** Subscribes, publishes after `sluice:ready`, and returns every event up to the published one. */
async function comeBack(query: string, options: StreamOptions = {}): Promise<unknown[]> {
  const stream = await openStream(`${broker.url}/events/strange${query}`, options);
  expect(stream.status).toBe(200);
  const before = await stream.until('sluice:ready');
  tail = await broker.publish('strange', 'live');
  const live = await stream.next();
  stream.close();
  return [...before, live].map(({ id, event, data }) =>
    event === undefined ? { id, data } : { event, data: JSON.parse(data) as unknown },
  );
}

/** The gap of an unreadable cursor, then live events. */
function unknownGap(before: string): unknown[] {
  return [
    { event: 'sluice:gap', data: { channel: 'strange', after: null, before: null } },
    { event: 'sluice:ready', data: { channels: { strange: before } } },
    { id: tail, data: 'live' },
  ];
}

describe('a cursor that cannot be read gets a gap, then live events', () => {
  test.each([
    ['a word', 'garbage'],
    ['a number', '5'],
    ['a negative number', '-1'],
    ["Redis' sign for the newest entry", '$'],
    ["Redis' sign for the end", '+'],
    ['half an id', '1763596800000-'],
    ['the other half', '-0'],
    ['an id with a leading zero', '01-0'],
    ['an id with a leading zero behind', '1-00'],
    ['an id and a third part', '1-0-0'],
    ['a negative id', '-1-0'],
    ['ms beyond 64 bits', '18446744073709551616-0'],
    ['a sequence beyond 64 bits', '1-18446744073709551616'],
    ['digits without end', `${'9'.repeat(3_000)}-0`],
    ['hex', '0x10-0'],
    ['a fraction', '1.5-0'],
    ['spaces inside', '1 - 0'],
    ['another case', 'EARLIEST'],
    ['4 KiB of text', 'x'.repeat(4_096)],
    ['a list of nothing', ',,,'],
    ['an at sign', '@'],
    ['a channel without an id', 'strange@'],
    ['an id without a channel', '@1-0'],
    ['a channel with garbage', 'strange@garbage'],
    ['a list that is half garbage', 'strange@1-0,garbage'],
    ['markup', '"><script>alert(1)</script>'],
    ['JSON', '{"strange":"1-0"}'],
    ['Latin-1', 'caf\u00e9'],
  ])('%s, in the header and in the query', async (_what, cursor) => {
    const atFirst = tail;
    expect(await comeBack('', { headers: { 'last-event-id': cursor } })).toEqual(unknownGap(atFirst));
    const then = tail;
    expect(await comeBack(`?last_event_id=${encodeURIComponent(cursor)}`)).toEqual(unknownGap(then));
  });

  test.each([
    ['the header twice', '', { headers: { 'last-event-id': ['1-0', '2-0'] } }],
    ['the query twice', '?last_event_id=1-0&last_event_id=2-0', {}],
    ['bytes that are not UTF-8', '?last_event_id=%ff', {}],
    ['NUL', '?last_event_id=%00', {}],
    ['an emoji', '?last_event_id=%F0%9F%98%80', {}],
    ['line breaks', '?lastEventId=1-0%0D%0Adata:%20forged', {}],
  ])('%s', async (_what, query, options) => {
    const before = tail;
    expect(await comeBack(query, options)).toEqual(unknownGap(before));
  });

  test('bytes above ASCII in the header', async () => {
    const connection = await openRaw(broker.port);
    const headers = ['Last-Event-ID: \u00ff\u00fe\u0080'];
    connection.send(requestBytes({ path: '/events/strange', headers }));
    await connection.until('sluice:ready');
    expect(connection.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(connection.text).toContain('"after":null,"before":null');
    connection.close();
  });
});

describe('an empty cursor counts as no cursor', () => {
  test.each([
    ['in the header', '', { headers: { 'last-event-id': '' } }],
    ['of blanks in the header', '', { headers: { 'last-event-id': '  ' } }],
    ['in the query', '?last_event_id=', {}],
    ['in both', '?lastEventId=', { headers: { 'last-event-id': '' } }],
  ])('%s', async (_where, query, options) => {
    const before = tail;
    expect(await comeBack(query, options)).toEqual(unknownGap(before).slice(1));
  });
});

test('unknown query parameters of a stream are ignored', async () => {
  const before = tail;
  expect(await comeBack('?_=1700000000&__proto__=x&event=y')).toEqual(unknownGap(before).slice(1));
});
