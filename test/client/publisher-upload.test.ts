import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPublisher } from '../../client/src/publisher.ts';
import type { Publisher } from '../../client/src/publisher.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { take, watch } from '../support/upload.ts';

// Uploads with the publisher of the client package.

let broker: Broker;
let publisher: Publisher;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_MAX_BODY_BYTES: '10000' });
  publisher = createPublisher({ url: broker.url, key: broker.key });
});
afterAll(async () => {
  await publisher.close();
  await broker.kill();
});

async function* chunks(...parts: (string | Uint8Array | Error)[]): AsyncGenerator<string | Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield await Promise.resolve(part);
  }
}

/** Yields the lines, and the next one only when the stream has got the one before. */
async function* answered(stream: SseStream, ...lines: string[]): AsyncGenerator<string> {
  for (const line of lines) {
    yield `${line}\n`;
    expect(await take(stream, 1)).toEqual([line]);
  }
}

test('each line is published while the source goes on, and the channel ends', async () => {
  const stream = await watch(broker, 'answer');
  const uploaded = await publisher.upload('answer', answered(stream, 'a', 'b', 'c'), { close: true });
  expect(uploaded).toMatchObject({ channel: 'answer', published: 3 });
  expect(String([uploaded.first, uploaded.last])).toMatch(/^\d+-\d+,\d+-\d+$/);
  await stream.until('sluice:end');
});

test('characters and events may be cut anywhere', async () => {
  const stream = await watch(broker, 'cut');
  const [first, second] = '😀'.split('');
  await publisher.upload('cut', chunks('', `${first}`, `${second} a`, Buffer.from('\n'), 'b'), {
    event: 'token',
  });
  expect([await stream.next(), await stream.next()]).toMatchObject([
    { data: '😀 a', event: 'token' },
    { data: 'b', event: 'token' },
  ]);
  const source = new Blob(['event: sum\ndata: 1\ndata: 2\n\nda', 'ta: 3\n\n']).stream();
  expect(await publisher.upload('cut', source, { each: 'event' })).toMatchObject({ published: 2 });
  expect([await stream.next(), await stream.next()]).toMatchObject([
    { event: 'sum', data: '1\n2' },
    { data: '3' },
  ]);
  stream.close();
});

test('an upload without events', async () => {
  const nothing = { channel: 'nothing', published: 0, first: null, last: null };
  expect(await publisher.upload('nothing', chunks())).toEqual(nothing);
});

test('a source of anything but text and bytes is refused', async () => {
  const objects = chunks({ a: 1 } as unknown as string);
  await expect(publisher.upload('objects', objects)).rejects.toThrow(
    new TypeError('The source yields strings or bytes.'),
  );
});

test('options that do not exist are refused by name', async () => {
  const wrong: object = { type: 'x' };
  const error = /^There is no option "type"/;
  await expect(publisher.publish('options', 1, wrong)).rejects.toThrow(error);
  await expect(publisher.upload('options', chunks('a'), wrong)).rejects.toThrow(error);
  const { url, key } = broker;
  expect(() => createPublisher({ url, key, ...wrong })).toThrow(error);
});

test('a publisher with the address of publishing says that the event went elsewhere', async () => {
  const { url, key } = broker;
  await using wrong = createPublisher({ url: `${url}/publish`, key });
  const answers = await Promise.allSettled([wrong.publish('orders', 1), wrong.publish('news', 2)]);
  for (const answer of answers)
    expect(answer).toMatchObject({
      reason: {
        code: 'unexpected-answer',
        detail:
          'The events went into the channel publish. The url of a publisher is that of the broker, without /publish.',
      },
    });
  await expect(wrong.publish('orders', 3, { idempotencyKey: 'alone' })).rejects.toMatchObject({
    code: 'unexpected-answer',
  });
});

test('a refusal says how many events are in the log, and closes the source', async () => {
  let isClosed = false;
  async function* endless(): AsyncGenerator<string> {
    try {
      yield 'small\n';
      for (;;) yield 'x'.repeat(1_000);
    } finally {
      isClosed = true;
    }
  }
  await expect(publisher.upload('large', endless())).rejects.toMatchObject({
    code: 'body-too-large',
    status: 413,
    published: 1,
  });
  await expect.poll(() => isClosed).toBe(true);
});

test('a failed source, and a signal, break the upload off: the channel does not end', async () => {
  const stream = await watch(broker, 'broken');
  const failing = publisher.upload('broken', chunks('whole\npart', new Error('the model failed')), {
    close: true,
  });
  await expect(failing).rejects.toThrow('the model failed');
  const controller = new AbortController();
  async function* waiting(): AsyncGenerator<string> {
    yield 'before\n';
    await stream.until('message');
    controller.abort(new Error('stopped'));
    await new Promise(() => undefined);
  }
  const aborted = publisher.upload('broken', waiting(), { close: true, signal: controller.signal });
  await expect(aborted).rejects.toThrow('stopped');
  await broker.publish('broken', 'after');
  await expect(publisher.upload('a/b', chunks('x'))).rejects.toMatchObject({ code: 'invalid-channel' });
  await expect(
    createPublisher({ url: broker.url, key: 'wrong' }).upload('broken', chunks('x')),
  ).rejects.toMatchObject({ code: 'unauthorized', status: 401 });
});

test('a broken upload is sent again with its idempotency key', async () => {
  const stream = await watch(broker, 'again');
  const options = { idempotencyKey: 'answer-7' };
  const broken = publisher.upload('again', chunks('a\nb\nc', new Error('cut')), options);
  await expect(broken).rejects.toThrow('cut');
  expect(await publisher.upload('again', chunks('a\nb\nc\n'), options)).toMatchObject({ published: 3 });
  expect(await take(stream, 3)).toEqual(['a', 'b', 'c']);
  stream.close();
});

test('close waits for uploads', async () => {
  const closing = createPublisher({ url: broker.url, key: broker.key });
  const stream = await watch(broker, 'waits');
  const uploading = closing.upload('waits', answered(stream, 'a', 'b'));
  await closing.close();
  await expect(uploading).resolves.toMatchObject({ published: 2 });
  stream.close();
});

test.each([
  [{ url: 'events.example.com', key: 'k' }],
  [{ url: 'http://user:secret@127.0.0.1', key: 'k' }],
  [{ url: 'http://127.0.0.1' }],
  [{ url: 'http://127.0.0.1', key: 'a\nb' }],
  [{ url: 'http://127.0.0.1', key: 'k', getToken: () => 'k' }],
  [{ url: 'http://127.0.0.1', key: 'k', maxBatchEvents: 10_001 }],
  [{ url: 'http://127.0.0.1', key: 'k', timeoutMs: 0 }],
])('invalid options are a TypeError: %j', (options) => {
  expect(() => createPublisher(options)).toThrow(TypeError);
});
