import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';

const LIMIT = 7_000;

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_MAX_BODY_BYTES: String(LIMIT) });
});
afterAll(() => broker.kill());

/** A request with this header does not take the lane. */
const UNUSUAL = ['Cookie: a=b'];
const raw = (body: string, headers: readonly string[] = []): Promise<RawAnswer> =>
  publishRaw(broker, { path: '/publish/news', headers, body });
const json = (data: string, headers: readonly string[] = []): Promise<RawAnswer> =>
  publishRaw(broker, { headers, body: JSON.stringify({ channel: 'news', data }) });

describe('SLUICE_MAX_BODY_BYTES also limits the size of the data as delivered', () => {
  test.each<readonly [what: string, publish: () => Promise<RawAnswer>]>([
    ['line feeds', () => raw('\n'.repeat(1_001))],
    ['line feeds, without the lane', () => raw('\n'.repeat(1_001), UNUSUAL)],
    ['carriage returns', () => raw('\r'.repeat(1_001))],
    ['pairs of both', () => raw('\r\n'.repeat(1_001))],
    ['a limit full of line feeds', () => raw('\n'.repeat(LIMIT))],
    ['lines of text', () => raw('some text\n'.repeat(500))],
    ['escaped line feeds in JSON', () => json('\n'.repeat(1_001))],
    ['escaped line feeds in JSON, without the lane', () => json('\n'.repeat(1_001), UNUSUAL)],
  ])('%s are refused with 413, and the detail says why', async (_what, publish) => {
    const refused =
      (await readMetrics(broker.url)).get('sluice_requests_refused_total{reason="body-size"}') ?? 0;
    expect(readProblem(await publish(), 413)).toMatchObject({
      code: 'body-too-large',
      detail: expect.stringMatching(/^The delivered form of the data .*: each line break/) as string,
    });
    const metrics = await readMetrics(broker.url);
    expect(metrics.get('sluice_requests_refused_total{reason="body-size"}')).toBe(refused + 1);
  });

  test.each<readonly [what: string, publish: () => Promise<RawAnswer>]>([
    ['one line of exactly the limit', () => raw('x'.repeat(LIMIT))],
    ['one line of exactly the limit, without the lane', () => raw('x'.repeat(LIMIT), UNUSUAL)],
    ['one line of exactly the limit, in two bytes a character', () => raw('é'.repeat(LIMIT / 2))],
    ['as many lines as the limit has room for', () => raw('\n'.repeat(LIMIT / 7))],
    [
      'a long type with it',
      () => publishRaw(broker, { path: `/publish/news?event=${'t'.repeat(200)}`, body: 'x'.repeat(LIMIT) }),
    ],
    [
      'line breaks that stay escaped',
      () => publishRaw(broker, { body: `{"channel":"news","data":["${String.raw`\n`.repeat(3_000)}"]}` }),
    ],
  ])('%s is accepted', async (_what, publish) => {
    expect((await publish()).status).toBe(200);
  });
});

test('1,048,000 line feeds, 7.3 MB as delivered, are refused with the default limit', async () => {
  const usual = await startBroker();
  const answer = await publishRaw(usual, { path: '/publish/news', body: '\n'.repeat(1_048_000) });
  expect(readProblem(answer, 413).code).toBe('body-too-large');
  await usual.kill();
});
