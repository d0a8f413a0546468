import { execFile } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openUpload, take, uploaded, watch } from '../../support/upload.ts';

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
    name = `up.${count++}`;
  });

  const upload = async (query: string, body: string | Buffer, ...headers: string[]): Promise<RawAnswer> =>
    await publishRaw(broker, { path: `/publish/${name}?${query}`, body, headers });

  test('each line is published when it has arrived, and the upload goes on', async () => {
    const stream = await watch(broker, name);
    const sent = await openUpload(broker, `${name}?each=line&event=token`);
    for (const line of ['a', 'é😀', 'c']) {
      for (const byte of Buffer.from(`${line}\n`)) sent.send(Buffer.of(byte));
      expect(await stream.next()).toMatchObject({ event: 'token', data: line });
    }
    sent.send('without an end');
    const { channel, published, first, last } = uploaded(await sent.finish());
    const end = await stream.next();
    expect([channel, published, end.data, last]).toEqual([name, 4, 'without an end', end.id]);
    expect(first).toBe(stream.events.find(({ data }) => data === 'a')?.id);
    stream.close();
  });

  test('each event of SSE is published with its type and data', async () => {
    const stream = await watch(broker, name);
    const sent = await openUpload(broker, `${name}?each=event`);
    sent.send('\ufeffretry: 5\nid: 9\n: x\nevent: tok\ndata: a\r\ndata: b\r');
    sent.send('\n\r\ndata: c\n\nevent: sluice:ready\ndata: {}\n\ndata: never');
    expect(await stream.next()).toMatchObject({ event: 'tok', data: 'a\nb' });
    expect(await stream.next()).toMatchObject({ event: undefined, data: 'c' });
    expect(uploaded(await sent.finish()).published).toBe(2);
    stream.close();
  });

  test('20,000 lines are published in order, whatever the sizes of the parts', async () => {
    const stream = await watch(broker, name);
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
    const bytes = Buffer.from(lines.join('\n'));
    const sent = await openUpload(broker, `${name}?each=line`);
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 30_011)
      sent.send(bytes.subarray(at, at + size));
    expect(uploaded(await sent.finish()).published).toBe(20_000);
    expect(await take(stream, 20_000)).toEqual(lines);
    stream.close();
  });

  test('an upload without events publishes nothing', async () => {
    const nothing = { channel: name, published: 0, first: null, last: null };
    expect(uploaded(await upload('each=line', ''))).toEqual(nothing);
    expect(uploaded(await upload('each=line', '\n'.repeat(1_000_000)))).toEqual(nothing);
    expect(uploaded(await upload('each=event', ': only a comment\n\n'))).toEqual(nothing);
  });

  test('the channel ends with an upload that arrives completely, and not with one that breaks off', async () => {
    const stream = await watch(broker, name);
    const cut = await openUpload(broker, `${name}?each=line&close=true`);
    cut.send('a\nhalf of a li');
    expect(await take(stream, 1)).toEqual(['a']);
    cut.cut();
    expect(uploaded(await upload('each=line&close=true', 'b\nc')).published).toBe(2);
    expect(await take(stream, 2)).toEqual(['b', 'c']);
    const { code, members } = readProblem(await upload('each=line', 'd\n'), 409);
    expect([code, members]).toEqual(['channel-ended', { published: 0 }]);
    stream.close();
  });

  test('an upload without events can end the channel', async () => {
    expect(uploaded(await upload('each=line&close=true', '')).published).toBe(0);
    expect(readProblem(await upload('', 'x'), 409).code).toBe('channel-ended');
  });

  test('an upload that was cut off is sent again with its key, and each event is published once', async () => {
    const stream = await watch(broker, name);
    const lines = Array.from({ length: 1_000 }, (_, i) => `line ${i}`);
    const key = 'Idempotency-Key: k';
    const cut = await openUpload(broker, `${name}?each=line&close=true`, [key]);
    cut.send(lines.slice(0, 300).join('\n'));
    expect(await take(stream, 299)).toEqual(lines.slice(0, 299));
    cut.cut();
    const whole = await upload('each=line&close=true', lines.join('\n'), key);
    expect([uploaded(whole).published, whole.header('idempotent-replayed')]).toEqual([1_000, undefined]);
    expect(await take(stream, 701)).toEqual(lines.slice(299));
    // In other parts, and to a channel that has ended since.
    const again = await openUpload(broker, `${name}?each=line&close=true`, [key]);
    for (const line of lines) again.send(`${line}\n`);
    const answer = await again.finish();
    expect([answer.body, answer.header('idempotent-replayed')]).toEqual([whole.body, 'true']);
    stream.close();
  });

  test('the same key with other lines publishes nothing more', async () => {
    const key = 'Idempotency-Key: k';
    uploaded(await upload('each=line', 'a\nb', key));
    const stream = await watch(broker, name);
    for (const [body, published] of [
      ['c\nb\n', 0],
      // Its first page is that of the first upload.
      ['a\nc', 1],
    ] as const) {
      const { code, members } = readProblem(await upload('each=line', body, key), 422);
      expect([code, members]).toEqual(['idempotency-key-reused', { published }]);
    }
    const last = await broker.publish(name, 'the last');
    expect((await stream.next()).id).toBe(last);
    stream.close();
  });

  test('a condition concerns the first event', async () => {
    const id = await broker.publish(name, 'x');
    const { members } = readProblem(await upload('each=line', 'a\nb', 'If-Match: 0-0'), 412);
    expect(members).toEqual({ published: 0, tail: id });
    expect(uploaded(await upload('each=line', 'a\nb', `If-Match: "${id}"`)).published).toBe(2);
  });

  test.each([
    ['NUL', 'a\nb\n\0\nc\n', 400, 'invalid-body'],
    ['bytes that are not UTF-8', Buffer.from('a\nb\n\xe9\nc\n', 'latin1'), 400, 'invalid-body'],
    ['half of a character at the end', Buffer.from('a\nb\n\xc3', 'latin1'), 400, 'invalid-body'],
    ['a line of 2 MiB', `a\nb\n${'x'.repeat(2 * 1024 ** 2)}\nc\n`, 413, 'body-too-large'],
  ])('the events before %s stay, and the answer says how many', async (_what, body, status, expected) => {
    const stream = await watch(broker, name);
    const { code, members } = readProblem(await upload('each=line', body), status);
    expect([code, members]).toEqual([expected, { published: 2 }]);
    expect(await take(stream, 2)).toEqual(['a', 'b']);
    const last = await broker.publish(name, 'the last');
    expect((await stream.next()).id).toBe(last);
    stream.close();
  });

  test('a fault is answered before the upload ends', async () => {
    const sent = await openUpload(broker, `${name}?each=line`);
    sent.send('a\n\0\n');
    const answer = await sent.answer();
    expect(readProblem(answer, 400).members).toEqual({ published: 1 });
    expect(answer.header('connection')).toBe('close');
  });

  test('curl sends a pipe', async () => {
    const script = `printf 'data: a\\n\\ndata: b\\n\\n' | curl -sS -X POST -T - -H "Authorization: Bearer ${broker.key}" "${broker.url}/publish/${name}?each=event"`;
    const body = await new Promise<string>((resolve, reject) => {
      execFile('sh', ['-c', script], (error, stdout) => {
        if (error === null) resolve(stdout);
        else reject(new Error('curl failed', { cause: error }));
      });
    });
    expect(uploaded({ status: 200, body })).toMatchObject({ channel: name, published: 2 });
  });
});

describe('the query', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker();
  });
  afterAll(() => broker.kill());

  test.each([
    ['each=lines'],
    ['each='],
    ['each=line&each=line'],
    ['each=event&event=a'],
    ['close=yes'],
    ['close='],
    ['close=true&close=true'],
    ['each=line&last=1'],
  ])('%s is refused', async (query) => {
    const answer = await publishRaw(broker, { path: `/publish/a?${query}`, body: 'x\n' });
    expect(readProblem(answer, 400).code).toBe('invalid-query');
  });

  test('with a type that is not allowed is refused', async () => {
    const answer = await publishRaw(broker, { path: '/publish/a?each=line&event=sluice:x', body: 'x\n' });
    expect(readProblem(answer, 400).code).toBe('invalid-event');
  });

  test('of an upload does not help a publisher without a grant', async () => {
    const answer = await publishRaw(
      { ...broker, key: 'wrong' },
      { path: '/publish/a?each=line', body: 'x\n' },
    );
    expect(answer.status).toBe(401);
  });
});
