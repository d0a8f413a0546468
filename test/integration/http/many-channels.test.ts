import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readClosing } from '../../support/closing.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

const SECRET = 'a secret of more than thirty-two bytes';

let broker: Broker;
/** Needs a token for all channels but those that begin with `public.`. */
let closed: Broker;
beforeAll(async () => {
  [broker, closed] = await Promise.all([
    startBroker({ SLUICE_HISTORY_SIZE: '5', SLUICE_MAX_HEADER_BYTES: '64KiB' }),
    startBroker({
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_PUBLIC_CHANNELS: 'public.*',
      SLUICE_MAX_CONNECTIONS_PER_SUBJECT: '1',
      SLUICE_MAX_CHANNELS_PER_CONNECTION: '3',
      SLUICE_JWT_CLOCK_TOLERANCE: '0s',
    }),
  ]);
});
afterAll(() => Promise.all([broker.kill(), closed.kill()]));

function pathOf(channels: readonly string[], more = ''): string {
  return `/events?${channels.map((name) => `channel=${name}`).join('&')}${more}`;
}

async function open(channels: readonly string[], cursor?: string, more = ''): Promise<SseStream> {
  const headers = cursor === undefined ? {} : { 'last-event-id': cursor };
  return await openStream(`${broker.url}${pathOf(channels, more)}`, { headers });
}

/** Returns `<channel> <data>` of the events up to sluice:ready, sorted by channel, and the cursor after them. */
async function kept(
  channels: readonly string[],
  cursor?: string,
  more?: string,
): Promise<[string[], string]> {
  const stream = await open(channels, cursor, more);
  const events = await stream.until('sluice:ready');
  stream.close();
  const texts = events.slice(0, -1).map(({ id, event, data }) => {
    const [channel] = (id ?? '').split('@');
    return `${channel} ${event === undefined ? '' : `${event} `}${data}`;
  });
  return [
    texts.toSorted((a, b) => ((a.split(' ')[0] ?? '') < (b.split(' ')[0] ?? '') ? -1 : 0)),
    events.at(-1)?.id ?? '',
  ];
}

describe('a stream of many channels', () => {
  test('has the live events of all of them, and begins with the positions in all of them', async () => {
    const first = await broker.publish('live.a', 'old');
    const stream = await open(['live.b', 'live.a']);
    const ready = await stream.next();
    expect(ready.event).toBe('sluice:ready');
    expect(JSON.parse(ready.data)).toEqual({ channels: { 'live.a': first, 'live.b': '0-0' } });
    const [b, a] = [await broker.publish('live.b', 'one'), await broker.publish('live.a', 'two')];
    const [one, two] = [await stream.next(), await stream.next()];
    stream.close();
    expect([one.data, two.data]).toEqual(['one', 'two']);
    expect([one.id, two.id].map((id) => id?.split(',')[0])).toEqual([`live.b@${b}`, `live.a@${a}`]);
  });

  test.each([
    ['shared with another connection', ['text.a', 'text.b'], 2],
    ['of one connection alone', ['text.a', 'text.c'], 1],
  ])('keeps all characters and lines of the data, with channels %s', async (_whose, channels, count) => {
    const streams = await Promise.all(Array.from({ length: count }, () => open(channels)));
    await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
    for (const data of ['žluťoučký 🐎', 'é\nñ\n', '', `${'ü'.repeat(9_000)}\n`, '\n'.repeat(4_000)]) {
      await broker.publish('text.a', data, 'größe');
      for (const stream of streams) expect(await stream.next()).toMatchObject({ event: 'größe', data });
    }
    for (const stream of streams) stream.close();
  });

  test('is resumed from any event of any channel, also with other channels', async () => {
    const stream = await open(['set.a', 'set.b', 'set.c']);
    await stream.until('sluice:ready');
    for (const text of ['1', '2'])
      for (const name of ['a', 'b', 'c']) await broker.publish(`set.${name}`, text);
    await stream.when(({ events }) => events.length === 7);
    stream.close();
    const all = stream.events.slice(1).map(({ id, data }) => `${id?.split('@')[0]} ${data}`);
    for (const [index, { id = '' }] of stream.events.entries()) {
      const missed = all.slice(index);
      const [texts] = await kept(['set.a', 'set.b', 'set.c'], id);
      expect(texts.toSorted()).toEqual(missed.toSorted());
      const [fewer] = await kept(['set.c', 'set.new', 'set.a'], id);
      expect(fewer.toSorted()).toEqual(missed.filter((text) => !text.startsWith('set.b')).toSorted());
    }
  });

  test.each([
    ['last', '&last=2', ['from.a 2', 'from.a 3', 'from.b x']],
    ['since', '&since=0', ['from.a 1', 'from.a 2', 'from.a 3', 'from.b x']],
    ['earliest', '&last_event_id=earliest', ['from.a 1', 'from.a 2', 'from.a 3', 'from.b x']],
    ['a list', '&last_event_id=from.a@0-0', ['from.a 1', 'from.a 2', 'from.a 3']],
  ])('begins where the URL says: %s', async (what, more, texts) => {
    const [a, b] = [`${what.replace(' ', '-')}.a`, `${what.replace(' ', '-')}.b`];
    for (const data of ['1', '2', '3']) await broker.publish(a, data);
    await broker.publish(b, 'x');
    const [came] = await kept([a, b], undefined, more.replace('from.a', a));
    expect(came).toEqual(texts.map((text) => text.replace('from.a', a).replace('from.b', b)));
  });

  test('tells the gap of each channel that misses events', async () => {
    const ids: string[] = [];
    for (let i = 1; i <= 7; i++) ids.push(await broker.publish('gap.a', String(i)));
    const b = await broker.publish('gap.b', 'x');
    const stream = await open(['gap.a', 'gap.b'], `gap.a@${ids[0]},gap.b@${b}`);
    const [gap, ...events] = await stream.until('sluice:ready');
    stream.close();
    expect(gap?.event).toBe('sluice:gap');
    expect(JSON.parse(gap?.data ?? '')).toEqual({ channel: 'gap.a', after: ids[0], before: ids[2] });
    expect(events.map(({ data }) => data).slice(0, -1)).toEqual(['3', '4', '5', '6', '7']);
    const again = await open(['gap.a', 'gap.b'], gap?.id);
    expect((await again.next()).event).toBe('sluice:gap');
    again.close();
  });

  test('a position of another channel is a gap for that channel alone', async () => {
    await broker.publish('foreign.b', 'x');
    const a = await broker.publish('foreign.a', 'x');
    const [texts] = await kept(['foreign.a', 'foreign.b'], `foreign.a@${a},foreign.b@${a}`);
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(/^foreign\.b sluice:gap /);
  });

  test.each([
    ['a word', 'garbage'],
    ['a plain id', '1-0'],
    ['half a rest', 'bad.a@1-0,~abc'],
    ['12 KiB', `bad.a@1-0,~${'x'.repeat(12_000)}`],
  ])('a cursor that cannot be read is a gap for all: %s', async (_what, cursor) => {
    const [texts] = await kept(['bad.a', 'bad.b'], cursor);
    expect(texts.map((text) => text.split('{')[0])).toEqual(['bad.a sluice:gap ', 'bad.b sluice:gap ']);
  });

  test('100 channels with names of 200 characters: the id stays below 1.5 KiB, and resumes', async () => {
    const channels = Array.from({ length: 100 }, (_, i) => `${'n'.repeat(197)}${100 + i}`);
    for (const channel of channels) await broker.publish(channel, 'first');
    const stream = await open(channels);
    await stream.until('sluice:ready');
    await Promise.all(channels.map((channel) => broker.publish(channel, 'x')));
    await stream.when(({ events }) => events.length === 101);
    stream.close();
    for (const { id = '' } of stream.events) expect(id.length).toBeLessThan(1_536);
    const [texts] = await kept(channels, stream.events[50]?.id);
    expect(texts).toHaveLength(50);
  });

  test('ends when one of its channels is disconnected, and is resumed from the id of sluice:closing', async () => {
    const stream = await open(['end.a', 'end.b']);
    await stream.until('sluice:ready');
    const response = await fetch(`${broker.url}/disconnect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' },
      body: '{"channel":"end.b"}',
    });
    expect(await response.json()).toMatchObject({ disconnected: 1 });
    const closing = (await stream.until('sluice:closing')).at(-1);
    await stream.ended;
    expect(stream.complete).toBe(true);
    await broker.publish('end.a', 'missed');
    expect((await kept(['end.a', 'end.b'], closing?.id))[0]).toEqual(['end.a missed']);
  });
});

describe('a request for many channels is refused', () => {
  test.each([
    ['no channel', '/events', 'invalid-query', 'Name the channels'],
    ['an empty name', '/events?channel=', 'invalid-channel', 'empty'],
    ['a channel twice', pathOf(['a', 'b', 'a']), 'invalid-query', 'the channel a twice'],
    ['a channel twice, once percent-encoded', '/events?channel=a&channel=%61', 'invalid-query', 'twice'],
    ['a name that is not one', '/events?channel=a&channel=b%20c', 'invalid-channel', 'U+0020'],
    ['101 channels', pathOf(Array.from({ length: 101 }, (_, i) => `c${i}`)), 'invalid-query', '101 channels'],
    [
      'a channel beside the path',
      '/events/a?channel=b',
      'invalid-query',
      'The path names the channel already',
    ],
    ['last and since', pathOf(['a', 'b'], '&last=1&since=0'), 'invalid-query', 'not both'],
  ])('%s', async (_what, path, code, detail) => {
    const problem = readProblem(await exchange(broker.port, { path }), 400);
    expect(problem.code).toBe(code);
    expect(problem.detail).toContain(detail);
  });
});

function bearer(subscribe: string[], sub: string, exp = inSeconds(60)): string {
  return `Bearer ${signToken({ sub, exp, sluice: { subscribe } }, SECRET)}`;
}

describe('tokens', () => {
  test('without a token, the 401 names the first channel that is not public', async () => {
    const answer = await exchange(closed.port, { path: pathOf(['public.a', 'mine', 'yours']) });
    expect(readProblem(answer, 401).detail).toContain('The channel mine is not public');
  });

  test('the 403 names the first channel that the token does not grant', async () => {
    const headers = [`Authorization: ${bearer(['mine'], '1')}`];
    const answer = await exchange(closed.port, { path: pathOf(['public.a', 'mine', 'yours']), headers });
    expect(readProblem(answer, 403).detail).toContain('subscribing to yours');
  });

  test('a stream counts once, a refused one gets its cursor back, and a stream ends with its token', async () => {
    const url = `${closed.url}${pathOf(['public.a', 'mine', 'mine.too'])}`;
    const authorization = bearer(['mine*'], '2', inSeconds(3));
    const stream = await openStream(url, { headers: { authorization } });
    await stream.until('sluice:ready');
    expect((await readMetrics(closed.url)).get('sluice_connections')).toBe(1);
    const headers = [`Authorization: ${authorization}`, 'Last-Event-ID: mine@5-0,public.a@7-0'];
    const refused = await exchange(closed.port, { path: pathOf(['public.a', 'mine', 'mine.too']), headers });
    expect(readClosing(refused.body).reason).toBe('subject-limit');
    expect(refused.body).toMatch(/\nid: public\.a@7-0,~\S+\n/);
    const closing = (await stream.until('sluice:closing')).at(-1);
    expect(JSON.parse(closing?.data ?? '')).toMatchObject({ reason: 'expired' });
    await stream.ended;
  });

  test('a token that is revoked on one of the channels', async () => {
    const authorization = bearer(['*'], '3');
    const url = `${closed.url}${pathOf(['revoked.a', 'revoked.b'])}`;
    const stream = await openStream(url, { headers: { authorization } });
    await stream.until('sluice:ready');
    await fetch(`${closed.url}/disconnect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${closed.key}`, 'content-type': 'application/json' },
      body: '{"channel":"revoked.b","revoke":true}',
    });
    await stream.until('sluice:closing');
    await stream.ended;
    const headers = [`Authorization: ${authorization}`];
    const answer = await exchange(closed.port, { path: pathOf(['revoked.a', 'revoked.b']), headers });
    expect(readProblem(answer, 401).detail).toContain('revoked on the channel revoked.b');
  });
});
