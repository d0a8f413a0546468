import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { readProblem } from '../../support/read-problem.ts';
import { watchChannel } from '../../support/watch-channel.ts';
import type { WatchedChannel } from '../../support/watch-channel.ts';

let broker: Broker;
let watched: WatchedChannel;
beforeAll(async () => {
  broker = await startBroker();
  watched = await watchChannel(broker, 'fields');
});
afterAll(() => broker.kill());

const text = (value: unknown): string => JSON.stringify(value);
const channel = 'fields';
const data = 'never delivered';

describe('a publication is refused', () => {
  test.each([
    { why: 'an unknown field', body: text({ channel, data, colour: 'red' }), pointers: ['/colour'] },
    { why: 'an id from the publisher', body: text({ channel, data, id: '1-0' }), pointers: ['/id'] },
    { why: 'a retry from the publisher', body: text({ channel, data, retry: 1 }), pointers: ['/retry'] },
    { why: 'two unknown fields', body: text({ channel, data, a: 1, b: 2 }), pointers: ['/a', '/b'] },
    {
      why: 'a field whose name a pointer must escape',
      body: text({ channel, data, 'a/b~c': 1 }),
      pointers: ['/a~1b~0c'],
    },
    { why: 'a field in another case', body: text({ channel, data, Event: 'x' }), pointers: ['/Event'] },
    {
      why: '__proto__',
      body: '{"channel":"fields","data":"x","__proto__":{"event":"y"}}',
      pointers: ['/__proto__'],
    },
    {
      why: 'data that only __proto__ has',
      body: '{"channel":"fields","__proto__":{"data":"x"}}',
      pointers: ['/__proto__', '/data'],
    },
    { why: 'constructor', body: text({ channel, data, constructor: 'x' }), pointers: ['/constructor'] },
    { why: 'no data', body: text({ channel }), pointers: ['/data'] },
    { why: 'no channel', body: text({ data }), pointers: ['/channel'] },
    { why: 'nothing at all', body: '{}', pointers: ['/channel', '/data'] },
    { why: 'channel null', body: text({ channel: null, data }), pointers: ['/channel'] },
    { why: 'channel a number', body: text({ channel: 1, data }), pointers: ['/channel'] },
    { why: 'channel a list', body: text({ channel: ['fields'], data }), pointers: ['/channel'] },
    { why: 'channel an object', body: text({ channel: {}, data }), pointers: ['/channel'] },
    { why: 'event null', body: text({ channel, data, event: null }), pointers: ['/event'] },
    { why: 'event a number', body: text({ channel, data, event: 7 }), pointers: ['/event'] },
    { why: 'event a list', body: text({ channel, data, event: ['x'] }), pointers: ['/event'] },
    { why: 'a string', body: text('hello'), pointers: [''] },
    { why: 'a number', body: '7', pointers: [''] },
    { why: 'null', body: 'null', pointers: [''] },
    { why: 'true', body: 'true', pointers: [''] },
  ])('$why', async ({ body, pointers }) => {
    const problem = readProblem(await publishRaw(broker, { body }), 400);
    expect(problem.code).toBe('invalid-body');
    expect(problem.pointers.toSorted()).toEqual(pointers);
  });

  test('none of the refused publications was delivered', () => watched.nothingCame());
});
