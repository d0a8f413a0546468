import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LOGS, startBrokerOn, startTlsBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog, TlsBrokerOnLog } from '../../support/broker-on-log.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange, openRaw } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { sendJson } from '../../support/send-json.ts';
import { openHttp2Stream, openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';

const HISTORY = 5;

const data = ({ events }: SseStream): string[] => events.map((event) => event.data);

describe.each(LOGS)('a plain stream on %s', (log) => {
  let on: TlsBrokerOnLog;
  beforeAll(async () => {
    on = await startTlsBrokerOn(log, {
      SLUICE_HISTORY_SIZE: String(HISTORY),
      SLUICE_RETRY: '500ms',
      SLUICE_MAX_CONNECTIONS_PER_SUBJECT: '1',
    });
  });
  afterAll(() => on.stop());

  let count = 0;
  const fresh = (): string => `plain.${++count}`;
  const overHttp1 = (path: string): Promise<SseStream> => openStream(`${on.broker.url}${path}`);
  const overHttp2 = (path: string): Promise<SseStream> => openHttp2Stream(on.session, path);
  const publish = (channel: string, ...texts: string[]): Promise<string[]> =>
    texts.reduce<Promise<string[]>>(
      async (ids, text) => [...(await ids), await on.broker.publish(channel, text)],
      Promise.resolve([]),
    );

  describe.each([
    ['HTTP/1.1', overHttp1],
    ['HTTP/2', overHttp2],
  ] as const)('over %s', (_version, open) => {
    test('has the kept and the live events alone, and ends properly at the end of the channel', async () => {
      const channel = fresh();
      const kept = await publish(channel, 'one', 'two');
      const stream = await open(`/events/${channel}?plain&last_event_id=earliest`);
      await stream.when(({ events }) => events.length === 2);
      const live = await publish(channel, 'three');
      await sendJson(on.broker, 'POST', '/publish', { channel, close: true });
      await stream.ended;
      expect(stream.complete).toBe(true);
      expect(stream.text).toMatch(/^retry: \d+\n:\n/);
      expect(stream.text.replace(/^retry: \d+\n:\n/, '')).toBe(
        [...kept, ...live].map((id, i) => `id: ${id}\ndata: ${['one', 'two', 'three'][i]}\n\n`).join(''),
      );
      expect((await open(`/events/${channel}?plain&last_event_id=${live[0]}`)).status).toBe(204);
      expect((await open(`/events/${channel}?plain&only=active`)).status).toBe(204);
    });

    test('is cut when the events of its channel are deleted, and its cursor is then a 410', async () => {
      const channel = fresh();
      const [id] = await publish(channel, 'one');
      const stream = await open(`/events/${channel}?plain&last_event_id=earliest`);
      await stream.when(({ events }) => events.length === 1);
      await sendJson(on.broker, 'DELETE', `/channels/${channel}`);
      await stream.ended;
      expect({ complete: stream.complete, data: data(stream) }).toEqual({ complete: false, data: ['one'] });
      const again = await open(`/events/${channel}?plain&last_event_id=${id}`);
      expect(again.status).toBe(410);
      again.close();
      // A reader without events from before is not told.
      await publish(channel, 'two');
      const late = await open(`/events/${channel}?plain&last=10`);
      await late.when(({ events }) => events.length > 0);
      expect(data(late)).toEqual(['two']);
      late.close();
    });

    test('is cut, and not ended, by /disconnect', async () => {
      const channel = fresh();
      await publish(channel, 'one');
      const stream = await open(`/events/${channel}?plain&last=1`);
      await stream.when(({ events }) => events.length === 1);
      await sendJson(on.broker, 'POST', '/disconnect', { channel });
      await stream.ended;
      expect({ complete: stream.complete, data: data(stream) }).toEqual({ complete: false, data: ['one'] });
    });

    test('is a 410 where a gap would be told, also for HEAD', async () => {
      const channel = fresh();
      const ids = await publish(channel, ...Array.from({ length: HISTORY + 2 }, (_, i) => String(i)));
      for (const cursor of [ids[0], 'earliest', 'garbage', '1-0', '99999999999999-0']) {
        const stream = await open(`/events/${channel}?plain&last_event_id=${cursor}`);
        await stream.ended;
        expect([cursor, stream.status, JSON.parse(stream.text)]).toMatchObject([
          cursor,
          410,
          { type: 'urn:sluice:problem:history-gone', status: 410 },
        ]);
        const head = await fetch(`${on.broker.url}/events/${channel}?plain&last_event_id=${cursor}`, {
          method: 'HEAD',
        });
        expect(head.status).toBe(410);
      }
      const since = await open(`/events/${channel}?plain&since=0`);
      expect(since.status).toBe(410);
      for (const query of [`last_event_id=${ids[2]}`, 'last=5', '']) {
        const stream = await open(`/events/${channel}?plain&${query}`);
        expect(stream.status).toBe(200);
        stream.close();
      }
    });
  });
});

describe('the query of a plain stream', () => {
  let on: BrokerOnLog;
  beforeAll(async () => {
    on = await startBrokerOn('the embedded log', { SLUICE_MAX_CONNECTIONS_PER_IP: '2' });
  });
  afterAll(() => on.stop());

  test.each([
    ['/events/news?plain=1', 'plain takes no value'],
    ['/events/news?plain&plain', 'plain takes no value'],
    ['/events?channel=news&plain', 'single channel'],
    ['/events/news?plain&heartbeat=event', 'heartbeat'],
  ])('%s is a 400', async (path, detail) => {
    const problem = readProblem(await exchange(on.broker.port, { path }), 400);
    expect(problem.code).toBe('invalid-query');
    expect(problem.detail).toContain(detail);
  });

  test('a limit is a 429 with Retry-After instead of sluice:closing', async () => {
    const open = await Promise.all([1, 2].map(() => openStream(`${on.broker.url}/events/news`)));
    const answer = await exchange(on.broker.port, { path: '/events/news?plain' });
    expect(readProblem(answer, 429).code).toBe('too-many-requests');
    expect(Number(answer.header('retry-after'))).toBeGreaterThanOrEqual(5);
    for (const stream of open) stream.close();
  });

  test('over HTTP/1.0 a cut resets the connection', async () => {
    const raw = await openRaw(on.broker.port);
    raw.send('GET /events/old?plain HTTP/1.0\r\n\r\n');
    await raw.until(':\n');
    await publishRaw(on.broker, { path: '/disconnect', body: '{"channel":"old"}' });
    await raw.ended;
    expect(raw.text).toMatch(/\r\n\r\nretry: \d+\n:\n$/);
  });
});
