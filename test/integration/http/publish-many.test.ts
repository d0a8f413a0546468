import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import { publishRaw, publishRequest } from '../../support/publish-raw.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import { watchChannel } from '../../support/watch-channel.ts';

const NDJSON = 'application/x-ndjson';
/** The tail of a channel that never had an event. */
const ORIGIN = '0-0';

interface Pair {
  readonly channel: string;
  readonly id: string;
}

const idsOf = ({ status, body }: RawAnswer): Pair[] => {
  expect([status, body]).toEqual([200, expect.any(String)]);
  return (JSON.parse(body) as { events: Pair[] }).events;
};

describe.each(LOGS)('with %s', (log) => {
  let started: BrokerOnLog;
  let broker: Broker;
  let name = 'x';
  let count = 0;
  beforeAll(async () => {
    started = await startBrokerOn(log);
    ({ broker } = started);
  });
  afterAll(() => started.stop());
  beforeEach(() => {
    name = `many.${count++}`;
  });

  const publish = async (body: unknown, ...headers: readonly string[]): Promise<RawAnswer> =>
    await publishRaw(broker, { body: JSON.stringify(body), headers });
  /** The data of the first events of a channel. */
  const eventsOf = async (channel: string, length: number): Promise<(readonly [string, string])[]> => {
    const stream = await openStream(`${broker.url}/events/${channel}?last_event_id=earliest`);
    const events: (readonly [string, string])[] = [];
    while (events.length < length) {
      const { id = '', data } = await stream.next();
      events.push([id, data]);
    }
    stream.close();
    return events;
  };

  describe('an event to several channels', () => {
    test('is in each of them, and the answer has the ids in the order of the request', async () => {
      const channels = Array.from({ length: 1_000 }, (_, i) => `${name}.${(i * 7) % 1_000}`);
      const ids = idsOf(await publish({ channels, event: 'e', data: { a: 1 } }));
      expect(ids.map(({ channel }) => channel)).toEqual(channels);
      for (const i of [0, 1, 500, 999]) {
        const { channel, id } = ids[i] as Pair;
        expect(await eventsOf(channel, 1)).toEqual([[id, '{"a":1}']]);
      }
    });

    test.each([
      ['a channel twice', { channels: ['a', 'b', 'a'], data: 1 }, '/channels/2'],
      ['no channel', { channels: [], data: 1 }, '/channels'],
      [
        '1,001 channels',
        { channels: Array.from({ length: 1_001 }, (_, i) => `c${i}`), data: 1 },
        '/channels',
      ],
      ['a channel and channels', { channel: 'a', channels: ['b'], data: 1 }, '/channels'],
      ['a channel that is no text', { channels: ['a', 1], data: 1 }, '/channels/1'],
      ['another star', { channels: 'a.*', data: 1 }, '/channels'],
      ['a list of 300 KiB', { channels: [' '.repeat(300_000)], data: 1 }, '/channels'],
      ['a condition', { channels: ['a', 'b'], data: 1, ifLast: ORIGIN }, '/ifLast'],
      ['a condition for every channel', { channels: '*', data: 1, ifLast: ORIGIN }, '/ifLast'],
    ])('is refused with %s', async (_what, body, pointer) => {
      const { code, pointers } = readProblem(await publish(body), 400);
      expect([code, pointers[0]]).toEqual(['invalid-body', pointer]);
    });

    test('is refused with a name that is not allowed', async () => {
      const { code, pointers } = readProblem(await publish({ channels: ['a', 'a b'], data: 1 }), 400);
      expect([code, pointers]).toEqual(['invalid-channel', ['/channels/1']]);
    });
  });

  test('an event to every channel reaches those with a subscriber, and the answer has their number', async () => {
    const channels = Array.from({ length: 5 }, (_, i) => `${name}.${i}`);
    const streams = await Promise.all(channels.map((one) => openStream(`${broker.url}/events/${one}`)));
    for (const stream of streams) await stream.until('sluice:ready');
    await publish({ channel: channels[0], close: true });
    const { status, body } = await publish({ channels: '*', data: 'to all' });
    expect([status, JSON.parse(body)]).toEqual([200, { published: 4, complete: true }]);
    for (const stream of streams.slice(1)) expect((await stream.next()).data).toBe('to all');
    for (const stream of streams) stream.close();
  });

  describe('a body of many events', () => {
    // oxlint-disable-next-line unicorn/consistent-function-scoping -- `name` changes with each test
    const body = (): object[] =>
      Array.from({ length: 1_500 }, (_, i) => ({ channel: `${name}.${i % 3 === 0 ? 'a' : 'b'}`, data: i }));

    test.each([
      ['as a list', 'application/json', (all: object[]) => JSON.stringify(all)],
      ['as lines', NDJSON, (all: object[]) => all.map((one) => JSON.stringify(one)).join('\n')],
    ])('%s is published in order, with an id for each', async (_what, contentType, encode) => {
      const all = body();
      const ids = idsOf(await publishRaw(broker, { contentType, body: encode(all) }));
      expect(ids.map(({ channel }) => channel)).toEqual(all.map((one) => (one as Pair).channel));
      for (const channel of [`${name}.a`, `${name}.b`]) {
        const expected = ids.flatMap((one, i) => (one.channel === channel ? [[one.id, String(i)]] : []));
        // The history keeps the newest 1,000.
        expect(await eventsOf(channel, Math.min(expected.length, 400))).toEqual(expected.slice(0, 400));
      }
    });

    test('is refused as a whole when its 700th event is bad', async () => {
      const watched = await watchChannel(broker, `${name}.a`);
      const all = body();
      all[699] = { channel: `${name}.a`, event: '\n', data: 1 };
      expect(readProblem(await publish(all), 400).pointers).toEqual(['/699/event']);
      await watched.nothingCame();
    });

    test('is refused as a whole with 10,001 events', async () => {
      const watched = await watchChannel(broker, name);
      const { code, detail } = readProblem(
        await publish(Array.from({ length: 10_001 }, () => ({ channel: name, data: '' }))),
        413,
      );
      expect([code, detail]).toEqual(['body-too-large', expect.stringContaining('10000')]);
      await watched.nothingCame();
    });

    test('with the same key again publishes only what is missing, and answers as the first time', async () => {
      const all = body();
      const key = 'Idempotency-Key: k';
      // A part of the events, as after a failure half-way: the positions count in each channel.
      const first = idsOf(await publish(all.slice(0, 400), key));
      const whole = await publish(all, key);
      const again = await publish(all, key);
      expect(idsOf(whole).slice(0, 400)).toEqual(first);
      expect(again.body).toBe(whole.body);
      expect([whole, again].map((one) => one.header('idempotent-replayed'))).toEqual([undefined, 'true']);
      expect((await eventsOf(`${name}.a`, 500)).map(([, data]) => Number(data))).toEqual(
        Array.from({ length: 500 }, (_, i) => i * 3),
      );
    });

    test('with the same key and another event publishes nothing', async () => {
      const all = body();
      const key = 'Idempotency-Key: k';
      await publish([all[0]], key);
      const watched = await watchChannel(broker, `${name}.b`);
      all[0] = { channel: `${name}.a`, data: 'another' };
      const { code, members } = readProblem(await publish(all, key), 422);
      expect([code, members]).toEqual(['idempotency-key-reused', { published: 0, channel: `${name}.a` }]);
      await watched.nothingCame();
    });

    test('with an event to an ended channel says which, and how many events are in the log', async () => {
      await publish({ channel: `${name}.b`, data: 'the end', close: true });
      const all: object[] = [{ channel: `${name}.b`, data: 'too late' }];
      const { code, members } = readProblem(await publish(all), 409);
      expect([code, members]).toEqual(['channel-ended', { published: 0, channel: `${name}.b` }]);
      const mixed = [...Array.from({ length: 600 }, () => ({ channel: `${name}.a`, data: 1 })), ...all];
      const late = readProblem(await publish(mixed), 409);
      expect([late.code, late.members.channel]).toEqual(['channel-ended', `${name}.b`]);
      const published = late.members.published ?? 0;
      expect(await eventsOf(`${name}.a`, published)).toHaveLength(published);
    });

    test('ends the channels that it closes', async () => {
      const ids = idsOf(
        await publish([
          { channel: `${name}.a`, data: 1 },
          { channel: `${name}.b`, close: true },
          { channel: `${name}.a`, data: 2, close: true },
        ]),
      );
      expect(ids.map(({ id }) => id)[1]).toBe(ORIGIN);
      for (const channel of [`${name}.a`, `${name}.b`])
        expect(readProblem(await publish({ channel, data: 3 }), 409).code).toBe('channel-ended');
      expect((await eventsOf(`${name}.a`, 2)).map(([, data]) => data)).toEqual(['1', '2']);
    });

    test('is refused with If-Match', async () => {
      const answer = await publish([{ channel: name, data: 1 }], 'If-Match: 0-0');
      expect(readProblem(answer, 400).code).toBe('bad-request');
    });
  });

  describe('the end of a channel', () => {
    test('without data has the id of the last event, and can be repeated with a key', async () => {
      const id = await broker.publish(name, 'x');
      const key = 'Idempotency-Key: end';
      const first = await publish({ channel: name, close: true }, key);
      expect([first.status, JSON.parse(first.body)]).toEqual([200, { channel: name, id }]);
      const again = await publish({ channel: name, close: true }, key);
      expect([again.body, again.header('idempotent-replayed')]).toEqual([first.body, 'true']);
      expect(readProblem(await publish({ channel: name, close: true }), 409).code).toBe('channel-ended');
    });

    test.each([
      ['?close=true', '', 1],
      ['?close=true', 'x', 2],
      ['?close=true&event=done', '', 2],
    ])('by %s with the body %j leaves the channel with its events', async (query, data, length) => {
      const id = await broker.publish(name, 'first');
      const { body } = await publishRaw(broker, { path: `/publish/${name}${query}`, body: data });
      expect((JSON.parse(body) as Pair).id === id).toBe(length === 1);
      expect(readProblem(await publish({ channel: name, data: 1 }), 409).code).toBe('channel-ended');
      expect(await eventsOf(name, length)).toHaveLength(length);
    });

    test.each([
      ['close that is no boolean', { channel: 'a', data: 1, close: 'yes' }, '/close'],
      ['a type without data', { channel: 'a', event: 'x', close: true }, '/data'],
      ['no data and close false', { channel: 'a', close: false }, '/data'],
    ])('is refused: %s', async (_what, body, pointer) => {
      expect(readProblem(await publish(body), 400).pointers).toEqual([pointer]);
    });

    test('asked for at the same time by many succeeds once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => publish({ channel: name, data: 1, close: true })),
      );
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        200,
        ...Array<number>(9).fill(409),
      ]);
    });
  });

  describe('a condition', () => {
    test('holds while the tail is that id, and otherwise says the tail', async () => {
      const first = await publish({ channel: name, data: 1, ifLast: ORIGIN });
      const { id } = JSON.parse(first.body) as Pair;
      const { code, members } = readProblem(await publish({ channel: name, data: 2, ifLast: ORIGIN }), 412);
      expect([code, members]).toEqual(['tail-mismatch', { tail: id }]);
      for (const form of [`"${id}"`, id]) {
        const answer = await publishRaw(broker, {
          path: `/publish/${name}`,
          headers: [`If-Match: ${form}`],
          body: 'x',
        });
        expect(answer.status).toBe(form === id ? 412 : 200);
      }
      const list = [{ channel: name, data: 3, ifLast: id }];
      expect(readProblem(await publish(list), 412).members).toMatchObject({ published: 0, channel: name });
    });

    test.each([['*'], ['"1"'], ['W/"1-0"'], ['"1-0", "2-0"'], ['"1-0'], ['99999999999999999999-0']])(
      'If-Match: %s is refused',
      async (value) => {
        const answer = await publish({ channel: name, data: 1 }, `If-Match: ${value}`);
        expect(readProblem(answer, 400).code).toBe('bad-request');
      },
    );

    test.each([['1'], [''], [7], [null], ['01-0']])('ifLast %j is refused', async (ifLast) => {
      expect(readProblem(await publish({ channel: name, data: 1, ifLast }), 400).pointers).toEqual([
        '/ifLast',
      ]);
    });

    test('comes from one place', async () => {
      const answer = await publish({ channel: name, data: 1, ifLast: ORIGIN }, 'If-Match: 0-0');
      expect(readProblem(answer, 400).code).toBe('bad-request');
    });
  });

  test('pipelined requests are published in order, lists as well', async () => {
    const list = (from: number): string =>
      JSON.stringify(Array.from({ length: 600 }, (_, i) => ({ channel: name, data: from + i })));
    const connection = await openRaw(broker.port);
    const bodies = [list(0), JSON.stringify({ channel: name, data: 600 }), list(601)];
    connection.send(Buffer.concat(bodies.map((body) => requestBytes(publishRequest(broker, { body })))));
    for (const _body of bodies) expect((await connection.answer('POST')).status).toBe(200);
    connection.close();
    const events = await eventsOf(name, 900);
    const numbers = events.map(([, data]) => Number(data)).filter((data) => !Number.isNaN(data));
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
  });
});
