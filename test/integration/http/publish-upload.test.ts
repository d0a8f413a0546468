import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { openUpload } from '../../support/upload.ts';

interface Uploaded {
  readonly channel: string;
  readonly published: number;
  readonly first: string | null;
  readonly last: string | null;
}

const uploaded = ({ status, body }: Pick<RawAnswer, 'status' | 'body'>): Uploaded => {
  expect([status, body]).toEqual([200, expect.any(String)]);
  return JSON.parse(body) as Uploaded;
};

async function watch(broker: Broker, channel: string): Promise<SseStream> {
  const stream = await openStream(`${broker.url}/events/${channel}`);
  await stream.until('sluice:ready');
  return stream;
}

async function take(stream: SseStream, count: number): Promise<string[]> {
  const data: string[] = [];
  while (data.length < count) data.push((await stream.next()).data);
  return data;
}

describe.each([['the embedded log'], ['Redis']])('with %s', (log) => {
  let redis: Awaited<ReturnType<typeof startRedis>> | undefined;
  let broker: Broker;
  let name = 'x';
  let count = 0;
  beforeAll(async () => {
    redis = log === 'Redis' ? await startRedis() : undefined;
    broker = await startBroker(redis === undefined ? {} : { REDIS_URL: redis.url });
    if (redis !== undefined) await broker.logged('redis: up');
  });
  afterAll(async () => {
    await broker.kill();
    await redis?.stop();
  });
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
      execFile('sh', ['-c', script], (error, stdout) => (error === null ? resolve(stdout) : reject(error)));
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

test('the rates count each event, and an upload is refused where it exceeds them', async () => {
  const broker = await startBroker({ SLUICE_PUBLISH_RATE_PER_KEY: '10/h' });
  try {
    const list = JSON.stringify(Array.from({ length: 6 }, () => ({ channel: 'rated', data: 1 })));
    const first = await publishRaw(broker, { body: list });
    expect([first.status, first.header('ratelimit')]).toEqual([200, expect.stringContaining('r=4')]);
    const stream = await watch(broker, 'rated');
    const sent = await openUpload(broker, 'rated?each=line');
    for (const line of ['a', 'b', 'c', 'd']) {
      sent.send(`${line}\n`);
      await stream.next();
    }
    sent.send('e\n');
    const refused = await sent.answer();
    expect(readProblem(refused, 429)).toMatchObject({ code: 'too-many-requests', members: { published: 4 } });
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(0);
    expect((await publishRaw(broker, { body: list })).status).toBe(429);
    stream.close();
  } finally {
    await broker.kill();
  }
});

test('an upload ends with 503 when the log is lost, and says how much of it is in the log', async () => {
  const redis = await startRedis();
  const broker = await startBroker({ REDIS_URL: redis.url });
  try {
    await broker.logged('redis: up');
    const key = ['Idempotency-Key: k'];
    const stream = await watch(broker, 'up');
    const sent = await openUpload(broker, 'up?each=line', key);
    sent.send('a\nb\n');
    expect(await take(stream, 2)).toEqual(['a', 'b']);
    await redis.pause();
    sent.send('c\n');
    const answer = await sent.answer();
    await redis.resume();
    expect(readProblem(answer, 503)).toMatchObject({ code: 'log-unavailable', members: { published: 2 } });
    expect(answer.header('retry-after')).toBe('1');
    const again = async (): Promise<RawAnswer> =>
      await publishRaw(broker, { path: '/publish/up?each=line', headers: key, body: 'a\nb\nc\nd' });
    await expect.poll(async () => (await again()).status).toBe(200);
    expect(await take(stream, 2)).toEqual(['c', 'd']);
    stream.close();
  } finally {
    await broker.kill();
    await redis.stop();
  }
});

describe('a draining replica', () => {
  test('lets an upload finish', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '30s' });
    const stream = await watch(broker, 'up');
    const sent = await openUpload(broker, 'up?each=line');
    sent.send('a\n');
    await stream.next();
    const exit = broker.stop();
    await broker.logged('draining');
    sent.send('b\n');
    expect(uploaded(await sent.finish()).published).toBe(2);
    expect((await exit).code).toBe(0);
  });

  test('ends an upload after the drain window, and says how much of it is in the log', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '100ms' });
    const stream = await watch(broker, 'up');
    const sent = await openUpload(broker, 'up?each=line');
    sent.send('a\nb');
    await stream.next();
    const exit = broker.stop();
    const answer = await sent.answer();
    const { code, detail, members } = readProblem(answer, 503);
    expect([code, detail, members]).toEqual([
      'log-unavailable',
      expect.stringContaining('shutting down'),
      { published: 1 },
    ]);
    expect(answer.header('retry-after')).toBe('1');
    expect((await exit).code).toBe(0);
  });
});

describe('over HTTP/2', () => {
  const { cert, key } = createAuthority().issue();
  let broker: Broker;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    broker = await startBroker({ SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key });
    session = connect(broker.url, { rejectUnauthorized: false });
  });
  afterAll(async () => {
    session.destroy();
    await broker.kill();
  });

  const open = (path: string): ClientHttp2Stream =>
    session.request({ ':method': 'POST', ':path': path, authorization: `Bearer ${broker.key}` });
  const answerOf = async (stream: ClientHttp2Stream): Promise<{ status: number; body: string }> => {
    let status = 0;
    stream.once('response', (head) => (status = Number(head[':status'])));
    let body = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    await once(stream, 'close');
    return { status, body };
  };
  const events = async (channel: string, length: number): Promise<string[]> => {
    const stream = session.request({ ':path': `/events/${channel}?last_event_id=earliest` });
    let text = '';
    for await (const chunk of stream.setEncoding('utf8')) {
      text += String(chunk);
      if (text.includes('sluice:ready')) break;
    }
    stream.destroy();
    const data = [...text.matchAll(/^id: .*\ndata: (.*)$/gm)].map(([, one = '']) => one);
    expect(data).toHaveLength(length);
    return data;
  };

  test('an upload is published as it arrives', async () => {
    const stream = open('/publish/h2?each=line');
    stream.write('a\nb\n');
    await expect.poll(() => events('h2', 2)).toEqual(['a', 'b']);
    stream.end('c');
    expect(uploaded(await answerOf(stream)).published).toBe(3);
    expect(await events('h2', 3)).toEqual(['a', 'b', 'c']);
  });

  test('a fault is answered before the upload ends', async () => {
    const stream = open('/publish/h2.faulty?each=line');
    stream.on('error', () => undefined);
    stream.write('a\n\0\n');
    const { status, body } = await answerOf(stream);
    expect([status, JSON.parse(body)]).toEqual([400, expect.objectContaining({ published: 1 })]);
  });

  test('an upload that is reset leaves its complete lines, and does not end the channel', async () => {
    const stream = open('/publish/h2.cut?each=line&close=true');
    stream.on('error', () => undefined);
    stream.write('a\nhalf');
    await expect.poll(() => events('h2.cut', 1)).toEqual(['a']);
    stream.destroy(new Error('cut'));
    const next = open('/publish/h2.cut?each=line&close=true');
    next.end('b');
    expect(uploaded(await answerOf(next)).published).toBe(1);
    expect(await events('h2.cut', 2)).toEqual(['a', 'b']);
  });

  test('a list is published in order', async () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/publish',
      authorization: `Bearer ${broker.key}`,
      'content-type': 'application/json',
    });
    stream.end(JSON.stringify(Array.from({ length: 500 }, (_, i) => ({ channel: 'h2.list', data: i }))));
    expect((await answerOf(stream)).status).toBe(200);
    expect(await events('h2.list', 500)).toEqual(Array.from({ length: 500 }, (_, i) => String(i)));
  });
});
