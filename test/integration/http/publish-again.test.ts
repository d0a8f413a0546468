import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { openUpload } from '../../support/upload.ts';

// Uploads that are sent again, that are as large as they may be, or that other requests follow on the same connection.

describe.each(LOGS)('with %s', (log) => {
  let started: BrokerOnLog;
  let broker: Broker;
  beforeAll(async () => {
    started = await startBrokerOn(log, { SLUICE_MAX_BODY_BYTES: '100000' });
    ({ broker } = started);
  });
  afterAll(() => started.stop());

  const watch = async (channel: string): Promise<SseStream> => {
    const stream = await openStream(`${broker.url}/events/${channel}`);
    await stream.until('sluice:ready');
    return stream;
  };

  test('an upload with a condition broke off, and is sent again', async () => {
    const stream = await watch('condition');
    const headers = ['If-Match: "0-0"', 'Idempotency-Key: again'];
    const cut = await openUpload(broker, 'condition?each=line', headers);
    cut.send('a\nb');
    expect((await stream.next()).data).toBe('a');
    cut.cut();
    const again = { path: '/publish/condition?each=line', body: 'a\nb\nc\n', headers };
    const { status, body } = await publishRaw(broker, again);
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ published: 3 })]);
    expect([await stream.next(), await stream.next()].map(({ data }) => data)).toEqual(['b', 'c']);
    stream.close();
  });

  test.each([
    ['line', '', ''],
    ['event', 'data: ', '\n'],
    ['event', '\ufeffdata: ', '\n'],
  ])('each=%s: an event may be as large as a body (%j)', async (each, before, after) => {
    const largest = 'x'.repeat(100_000);
    const send = async (data: string): Promise<number> => {
      const body = `${before}${data}\n${after}`;
      return (await publishRaw(broker, { path: `/publish/large?each=${each}`, body })).status;
    };
    expect(await send(largest)).toBe(200);
    expect(await send(`${largest}x`)).toBe(413);
  });

  test('what follows an upload on its connection is published after it', async () => {
    const stream = await watch('follow');
    const request = (query: string, body: string): Buffer =>
      requestBytes({
        method: 'POST',
        path: `/publish/follow${query}`,
        headers: [`Authorization: Bearer ${broker.key}`, `Content-Length: ${body.length}`],
        body,
      });
    const lines = Array.from({ length: 3_000 }, (_, i) => String(i));
    const connection = await openRaw(broker.port);
    connection.send(Buffer.concat([request('?each=line', lines.join('\n')), request('', 'after')]));
    for (const data of [...lines, 'after']) expect((await stream.next()).data).toBe(data);
    expect([(await connection.answer('POST')).status, (await connection.answer('POST')).status]).toEqual([
      200, 200,
    ]);
    connection.close();
    stream.close();
  });
});
