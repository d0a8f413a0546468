import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import { watchChannel } from '../../support/watch-channel.ts';
import type { WatchedChannel } from '../../support/watch-channel.ts';

let broker: Broker;
let watched: WatchedChannel;
beforeAll(async () => {
  broker = await startBroker();
  watched = await watchChannel(broker, 'types');
});
afterAll(() => broker.kill());

const bad = [
  { why: 'nothing', type: '' },
  { why: '201 characters', type: 'x'.repeat(201) },
  { why: 'CR', type: 'a\rdata: forged' },
  { why: 'LF', type: 'a\ndata: forged' },
  { why: 'CRLF and a field', type: 'a\r\nid: 9-9' },
  { why: 'LF at the end', type: 'a\n' },
  { why: 'NUL', type: 'a\0' },
  { why: 'a tab', type: 'a\tb' },
  { why: 'an escape', type: '\u001b[31m' },
  { why: 'DEL', type: 'a\u007f' },
  { why: 'next line, a control of the second set', type: 'a\u0085b' },
  { why: "a name of the broker's own", type: 'sluice:ready' },
  { why: "the broker's prefix alone", type: 'sluice:' },
];

describe('an event type is refused', () => {
  test.each(bad)('in a body: $why', async ({ type }) => {
    const body = JSON.stringify({ channel: 'types', data: 'x', event: type });
    const problem = readProblem(await publishRaw(broker, { body }), 400);
    expect(problem.code).toBe('invalid-body');
    expect(new Set(problem.pointers)).toEqual(new Set(['/event']));
  });

  test.each(bad)('in a query: $why', async ({ type }) => {
    const path = `/publish/types?event=${encodeURIComponent(type)}`;
    const problem = readProblem(await publishRaw(broker, { path, body: 'x' }), 400);
    expect(problem.code).toBe('invalid-event');
  });

  test.each([
    { why: 'bytes that are not UTF-8', query: 'event=%ff' },
    { why: 'half of a surrogate pair in UTF-8', query: 'event=%ed%a0%80' },
    { why: 'a percent sign that encodes nothing', query: 'event=50%zz' },
    { why: 'given twice', query: 'event=a&event=b' },
    { why: 'an unknown name', query: 'colour=red' },
    { why: 'an unknown name beside it', query: 'event=a&id=1-0' },
    { why: 'the name in another case', query: 'Event=a' },
    { why: 'a name that objects inherit', query: '__proto__=a' },
  ])('in a query: $why', async ({ query }) => {
    const problem = readProblem(
      await publishRaw(broker, { path: `/publish/types?${query}`, body: 'x' }),
      400,
    );
    expect(problem.code).toBe('invalid-query');
  });

  test('none of the refused events was delivered', () => watched.nothingCame());
});

describe('an event type is delivered unchanged', () => {
  test.each([
    ['a word', 'created'],
    ['with spaces inside and around', ' order created '],
    ['with a colon', 'order:created'],
    ['not ASCII', 'créé 🎉'],
    ['the default, spelt out', 'message'],
    ['the prefix without its colon', 'sluice'],
    ['the prefix in another case', 'Sluice:ready'],
    ['the prefix further on', 'x-sluice:ready'],
    ['a line separator, which ends no line here', 'a\u2028b'],
    ['200 characters', 'x'.repeat(200)],
  ])('%s', async (_why, type) => {
    const stream = await openStream(`${broker.url}/events/taken`);
    await stream.until('sluice:ready');
    const id = await broker.publish('taken', 'in a body', type);
    expect(await stream.next()).toEqual({ id, event: type, data: 'in a body' });
    const path = `/publish/taken?event=${encodeURIComponent(type)}`;
    const answer = await publishRaw(broker, { path, body: 'in a query' });
    expect(answer.status).toBe(200);
    expect(await stream.next()).toMatchObject({ event: type, data: 'in a query' });
    stream.close();
  });
});
