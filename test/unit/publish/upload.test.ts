import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BrokerError } from '../../../src/events/errors.ts';
import type { EventId } from '../../../src/events/event.ts';
import type { Appended } from '../../../src/log/event-log.ts';
import { Upload } from '../../../src/publish/upload.ts';
import { UploadParser } from '../../../src/publish/upload-parser.ts';

interface Append {
  readonly data: readonly string[];
  readonly firstPosition: number;
  readonly end: boolean;
  readonly answer: (replayed?: boolean) => void;
  readonly fail: (error: BrokerError) => void;
}

/** An upload over a log whose answers the test decides. */
class Fixture {
  readonly appends: Append[] = [];
  readonly upload: Upload;

  constructor({ end = false, refusal = undefined as BrokerError | undefined } = {}) {
    this.upload = new Upload({
      parser: new UploadParser('line', {}, 1_000_000),
      append: ({ events, firstPosition, end: ends }) => {
        const { promise, resolve, reject } = Promise.withResolvers<readonly Appended[]>();
        this.appends.push({
          data: events.map(({ data }) => data),
          firstPosition,
          end: ends,
          answer: (replayed = false) =>
            resolve(events.map((_event, i) => ({ id: `1-${firstPosition + i}` as EventId, replayed }))),
          fail: reject,
        });
        return promise;
      },
      refusalOf: (events) => (events > 2 ? refusal : undefined),
      inTurn: async (work) => {
        await nextTurn();
        return work();
      },
      end,
      ifLast: undefined,
    });
  }

  /** The append number `index`, from 0, once it has been asked for. */
  async append(index: number): Promise<Append> {
    while (this.appends.length <= index) await nextTurn();
    return this.appends[index] as Append;
  }
}

test('the first line is appended at once, and what arrives meanwhile is appended together', async () => {
  const one = new Fixture({ end: true });
  one.upload.write(Buffer.from('a\n'));
  const first = await one.append(0);
  for (const line of ['b\n', 'c\n', 'd']) one.upload.write(Buffer.from(line));
  first.answer();
  const second = await one.append(1);
  second.answer();
  one.upload.complete();
  const third = await one.append(2);
  third.answer();
  const last = await one.append(3);
  last.answer();
  expect(one.appends.map(({ data, firstPosition, end }) => [data, firstPosition, end])).toEqual([
    [['a'], 0, false],
    [['b', 'c'], 1, false],
    [['d'], 3, false],
    [[], 4, true],
  ]);
  expect(await one.upload.result).toEqual({ published: 4, first: '1-0', last: '1-3', replayed: false });
});

test('while the log lags, the upload wants no more bytes', async () => {
  const one = new Fixture();
  let drained = 0;
  one.upload.onDrain = () => drained++;
  one.upload.write(Buffer.from('a\n'));
  const first = await one.append(0);
  let written = 0;
  while (one.upload.write(Buffer.from(`${'x'.repeat(999)}\n`))) written++;
  expect(written).toBeLessThan(200);
  expect([one.upload.isFull, drained]).toEqual([true, 0]);
  first.answer();
  await one.append(1);
  expect([one.upload.isFull, drained]).toEqual([false, 1]);
});

test('an upload that breaks off is published up to its last complete line, and does not end the channel', async () => {
  const one = new Fixture({ end: true });
  one.upload.write(Buffer.from('a\nb\nc'));
  one.upload.breakOff();
  const only = await one.append(0);
  only.answer();
  await expect(one.upload.result).rejects.toMatchObject({ members: { published: 2 } });
  expect(one.appends.map(({ data }) => data)).toEqual([['a', 'b']]);
});

test.each([
  [
    'a log that fails',
    new BrokerError('log-unavailable', 'Redis is away.', { retryAfter: 7, trouble: 'WRONGTYPE' }),
  ],
  ['an ended channel', new BrokerError('channel-ended', 'The channel has ended.')],
])('with %s the answer says how many events are in the log', async (_what, error) => {
  const one = new Fixture();
  one.upload.write(Buffer.from('a\nb\n'));
  (await one.append(0)).answer();
  one.upload.write(Buffer.from('c\n'));
  (await one.append(1)).fail(error);
  const { code, retryAfter, trouble } = error;
  await expect(one.upload.result).rejects.toMatchObject({
    code,
    retryAfter,
    trouble,
    members: { published: 2 },
  });
});

test('a refused page is not appended', async () => {
  const one = new Fixture({ refusal: new BrokerError('too-many-requests', 'Too fast.') });
  one.upload.write(Buffer.from('a\nb\n'));
  (await one.append(0)).answer();
  one.upload.write(Buffer.from('a\nb\nc\n'));
  await expect(one.upload.result).rejects.toMatchObject({
    code: 'too-many-requests',
    members: { published: 2 },
  });
  expect(one.appends).toHaveLength(1);
});

test('an upload that is stopped while it waits for bytes ends at once', async () => {
  const one = new Fixture();
  one.upload.write(Buffer.from('half of a line'));
  await nextTurn();
  one.upload.stop(new BrokerError('request-timeout', 'Silent.'));
  await expect(one.upload.result).rejects.toMatchObject({
    code: 'request-timeout',
    members: { published: 0 },
  });
});
