import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

/** A name as a part of a path, and a part of the problem's detail. */
const bad = [
  { why: 'a space', segment: 'a%20b', said: 'U+0020' },
  { why: 'a slash', segment: 'a%2Fb', said: '"/"' },
  { why: 'a slash in small hex', segment: 'a%2fb', said: '"/"' },
  { why: 'a backslash', segment: 'a%5Cb', said: '"\\"' },
  { why: 'a comma', segment: 'a,b', said: '","' },
  { why: 'an encoded comma', segment: 'a%2Cb', said: '","' },
  { why: 'an at sign', segment: 'a@1-0', said: '"@"' },
  { why: 'a star', segment: 'news.*', said: '"*"' },
  { why: 'a plus, which is no space', segment: 'a+b', said: '"+"' },
  { why: 'a percent sign', segment: 'a%2561', said: '"%"' },
  { why: 'a question mark', segment: 'a%3Fb', said: '"?"' },
  { why: 'a hash', segment: 'a%23b', said: '"#"' },
  { why: 'a semicolon', segment: 'a;b', said: '";"' },
  { why: 'a brace', segment: 'a%7Bb%7D', said: '"{"' },
  { why: 'NUL', segment: 'a%00', said: 'U+0000' },
  { why: 'CRLF', segment: 'a%0D%0Ab', said: 'U+000D' },
  { why: 'LF', segment: 'a%0A', said: 'U+000A' },
  { why: 'DEL', segment: 'a%7F', said: 'U+007F' },
  { why: 'a letter that is not ASCII', segment: '%C3%A9', said: '"é"' },
  { why: 'a digit that is not ASCII', segment: '%D9%A3', said: 'U+0663' },
  { why: 'a byte order mark', segment: '%EF%BB%BFa', said: 'U+FEFF' },
  { why: 'an emoji', segment: 'a%F0%9F%98%80', said: 'U+1F600' },
  { why: 'the second of two', segment: 'ab%20%2F', said: 'position 3' },
  { why: '201 characters', segment: 'a'.repeat(201), said: '201' },
  { why: '2,000 characters', segment: 'a'.repeat(2_000), said: '2000' },
  { why: 'nothing', segment: '', said: 'empty' },
  { why: 'a dot', segment: '.', said: '"."' },
  { why: 'an encoded dot', segment: '%2e', said: '"."' },
  { why: 'two dots', segment: '..', said: '".."' },
  { why: 'two encoded dots', segment: '%2e%2E', said: '".."' },
];

describe('a channel name is refused', () => {
  test.each(bad)('in a body: $why', async ({ segment, said }) => {
    const body = JSON.stringify({ channel: decodeURIComponent(segment), data: 'x' });
    const problem = readProblem(await publishRaw(broker, { body }), 400);
    expect(problem).toMatchObject({ code: 'invalid-channel', pointers: ['/channel'] });
    expect(problem.detail).toContain(said);
  });

  test.each(bad)('in the path of a publish: $why', async ({ segment, said }) => {
    const problem = readProblem(await publishRaw(broker, { path: `/publish/${segment}`, body: 'x' }), 400);
    expect(problem.code).toBe('invalid-channel');
    expect(problem.detail).toContain(said);
  });

  test.each(bad)('in the path of a stream: $why', async ({ segment, said }) => {
    const problem = readProblem(await exchange(broker.port, { path: `/events/${segment}` }), 400);
    expect(problem.code).toBe('invalid-channel');
    expect(problem.detail).toContain(said);
  });

  test.each(['a%', 'a%2', 'a%zz', '%ff', '%c0%af', '%ed%a0%80', '%e2%82'])(
    'when it is not percent-encoded UTF-8: %s',
    async (segment) => {
      const stream = await exchange(broker.port, { path: `/events/${segment}` });
      expect(readProblem(stream, 400).code).toBe('bad-request');
      const publish = await publishRaw(broker, { path: `/publish/${segment}`, body: 'x' });
      expect(readProblem(publish, 400).code).toBe('bad-request');
    },
  );

  test('none of the refused events was published', async () => {
    const metrics = await readMetrics(broker.url);
    expect(metrics.get('sluice_published_total{result="ok"}')).toBe(0);
    expect(metrics.get('sluice_connections_opened_total')).toBe(0);
  });
});

describe('a channel name is accepted', () => {
  test.each([
    ['every character there is', 'AZaz09._:~-', 'AZaz09._:~-'],
    ['encoded where it need not be', '%6eews%2e1', 'news.1'],
    ['three dots', '...', '...'],
    ['one character', '~', '~'],
    ['200 characters', 'x'.repeat(200), 'x'.repeat(200)],
  ])('%s', async (_why, segment, channel) => {
    const stream = await openStream(`${broker.url}/events/${channel}`);
    await stream.until('sluice:ready');
    const answer = await publishRaw(broker, { path: `/publish/${segment}`, body: 'there' });
    const event = await stream.next();
    expect(event.data).toBe('there');
    expect(JSON.parse(answer.body)).toEqual({ channel, id: event.id });
    stream.close();
  });

  test('and compared byte for byte, with its case', async () => {
    const stream = await openStream(`${broker.url}/events/Case`);
    await stream.until('sluice:ready');
    await broker.publish('case', 'another channel');
    await broker.publish('Case', 'this one');
    expect((await stream.next()).data).toBe('this one');
    stream.close();
  });
});
