import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPublisher } from '../../client/src/publisher.ts';
import type { Publisher, PublisherOptions } from '../../client/src/publisher.ts';
import { LOGS, startBrokerOn } from '../support/broker-on-log.ts';
import type { BrokerOnLog } from '../support/broker-on-log.ts';
import type { Broker } from '../support/broker.ts';
import type { JsonPage } from '../support/changing-reader.ts';
import { LogReader } from '../support/log-reader.ts';
import { inSeconds, signToken } from '../support/sign-token.ts';

// The publisher of the client package, with real brokers.

const SECRET = 'a secret of the tests that has 32 bytes';

describe.each(LOGS)('with %s', (log) => {
  let started: BrokerOnLog;
  let broker: Broker;
  let requests = 0;
  beforeAll(async () => {
    started = await startBrokerOn(log, {
      SLUICE_HISTORY_SIZE: '20000',
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_PUBLIC_CHANNELS: '*',
    });
    ({ broker } = started);
  });
  afterAll(() => started.stop());

  const open = (options: Partial<PublisherOptions> = {}): Publisher => {
    requests = 0;
    const counted: typeof fetch = (...request) => {
      requests++;
      return fetch(...request);
    };
    return createPublisher({
      url: broker.url,
      ...(options.getToken === undefined && { key: broker.key }),
      fetch: counted,
      ...options,
    });
  };
  const page = async (channel: string): Promise<JsonPage> => {
    const answer = await fetch(`${broker.url}/channels/${channel}/events?after=earliest`);
    return (await answer.json()) as JsonPage;
  };
  const textsOf = async (channel: string): Promise<readonly string[]> =>
    (await page(channel)).events.map(({ data }) => data);

  test('10,000 publishes of one turn are ten requests, in order', async () => {
    await using publisher = open();
    const texts = Array.from({ length: 10_000 }, (_, i) => String(i));
    const published = await Promise.all(texts.map((text) => publisher.publish('turn', text)));
    expect(requests).toBe(10);
    const { seen } = await LogReader.read(broker.url, 'turn');
    const expected = published.map(({ id }, i) => ({ kind: 'event', id, text: texts[i] }));
    expect(seen.slice(1)).toEqual(expected);
  });

  test('refuses only the events that are at fault, and says why', async () => {
    await using publisher = open();
    const faulty = new Set([7, 8, 300, 599]);
    const results = await Promise.allSettled(
      Array.from({ length: 600 }, (_, i) =>
        publisher.publish('faults', String(i), faulty.has(i) ? { event: 'sluice:mine' } : {}),
      ),
    );
    const refused = [...results.entries()].filter(([, { status }]) => status === 'rejected');
    expect(refused.map(([i]) => i)).toEqual([...faulty]);
    expect(refused[0]?.[1]).toMatchObject({
      reason: {
        code: 'invalid-body',
        status: 400,
        detail: 'event must not begin with "sluice:", which is reserved for events of the broker',
        mayBePublished: false,
      },
    });
    const { seen } = await LogReader.read(broker.url, 'faults');
    const texts = seen.flatMap((one) => (one.kind === 'event' ? [Number(one.text)] : []));
    expect(texts).toEqual([...results.keys()].filter((i) => !faulty.has(i)));
  });

  test('an ended channel does not stop the other channels of a body', async () => {
    await broker.publish('ended', 'before');
    await using publisher = open();
    const ending = publisher.publish('ended', undefined, { close: true });
    const late = publisher.publish('ended', 'late');
    await expect(ending).resolves.toMatchObject({ channel: 'ended' });
    await expect(late).rejects.toMatchObject({ code: 'channel-ended', status: 409 });

    const texts = Array.from({ length: 400 }, (_, i) => String(i));
    const results = await Promise.allSettled(
      texts.flatMap((text) => ['left', 'ended', 'right'].map((channel) => publisher.publish(channel, text))),
    );
    const codes = results.map((one) =>
      one.status === 'rejected' ? (one.reason as { code: string }).code : '',
    );
    expect(codes).toEqual(texts.flatMap(() => ['', 'channel-ended', '']));
    for (const channel of ['left', 'right']) {
      const { seen } = await LogReader.read(broker.url, channel);
      expect(seen.flatMap((one) => (one.kind === 'event' ? [one.text] : []))).toEqual(texts);
    }
    expect(await textsOf('ended')).toEqual(['before']);
  });

  test('a condition concerns one publish, in its place', async () => {
    await using publisher = open();
    const [first, second, wrong, last] = await Promise.allSettled([
      publisher.publish('conditions', 'first', { ifLast: '0-0' }),
      publisher.publish('conditions', 'second'),
      publisher.publish('conditions', 'wrong', { ifLast: '0-0' }),
      publisher.publish('conditions', 'last'),
    ]);
    expect([first?.status, last?.status]).toEqual(['fulfilled', 'fulfilled']);
    const tail = (second as PromiseFulfilledResult<{ id: string }>).value.id;
    expect(wrong).toMatchObject({ reason: { code: 'tail-mismatch', status: 412, tail } });
    expect(await textsOf('conditions')).toEqual(['first', 'second', 'last']);
  });

  test("a caller's own idempotency key holds for later publishers", async () => {
    const ids = [];
    for (let i = 0; i < 2; i++) {
      await using publisher = open();
      ids.push(await publisher.publish('own-key', 'once', { idempotencyKey: 'outbox-7' }));
    }
    expect(ids[1]).toEqual(ids[0]);
    await using publisher = open();
    const reused = publisher.publish('own-key', 'another', { idempotencyKey: 'outbox-7' });
    await expect(reused).rejects.toMatchObject({ code: 'idempotency-key-reused', status: 422 });
    await expect(publisher.publish('own-key', 1, { idempotencyKey: 'ä' })).rejects.toThrow(TypeError);
    expect(await textsOf('own-key')).toEqual(['once']);
  });

  test('publishes any JSON value, types, keys and deletions', async () => {
    await using publisher = open();
    const values = ['two\nlines', { total: 12 }, [1, null], null, 0, '', '😀'];
    for (const value of values) void publisher.publish('data', value);
    void publisher.publish('data', 1, { event: 'changed', key: 'a' });
    void publisher.publish('data', undefined, { key: 'a', delete: true });
    const circle: unknown[] = [];
    circle.push(circle);
    for (const bad of [undefined, 1n, circle, () => 1, Symbol('s')])
      await expect(publisher.publish('data', bad)).rejects.toThrow(TypeError);
    await expect(publisher.publish('a b', 1)).rejects.toMatchObject({ code: 'invalid-channel' });
    await publisher.flush();
    const { events } = await page('data');
    expect(events.map(({ data }) => data)).toEqual([
      ...values.map((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
      '1',
      '{"channel":"data","key":"a"}',
    ]);
    expect(events.slice(-2)).toMatchObject([{ event: 'changed', key: 'a' }, { event: 'sluice:deleted' }]);
  });

  test('close publishes what waits, and then refuses', async () => {
    const publisher = open({ lingerMs: 60_000 });
    const waiting = publisher.publish('closing', 'waiting');
    await publisher.close();
    await expect(waiting).resolves.toMatchObject({ channel: 'closing' });
    await expect(publisher.publish('closing', 'late')).rejects.toMatchObject({ code: 'closed' });
    await expect(publisher.upload('closing', new Blob(['late\n']).stream())).rejects.toMatchObject({
      code: 'closed',
    });
    expect(await textsOf('closing')).toEqual(['waiting']);
  });

  test('renews a refused token, and refuses only the channels that the token does not grant', async () => {
    const reasons: string[] = [];
    const grants = { sluice: { publish: ['granted.*'] } };
    await using publisher = open({
      getToken: (reason) => {
        reasons.push(reason);
        return signToken({ ...grants, ...(reason === 'start' && { exp: inSeconds(-600) }) }, SECRET);
      },
    });
    const channels = Array.from({ length: 40 }, (_, i) => `${i % 20 === 13 ? 'secret' : 'granted'}.${i}`);
    const results = await Promise.allSettled(channels.map((channel) => publisher.publish(channel, 'x')));
    const refused = channels.filter((_, i) => results[i]?.status === 'rejected');
    expect(refused).toEqual(['secret.13', 'secret.33']);
    expect(results[13]).toMatchObject({ reason: { code: 'forbidden', status: 403 } });
    expect(reasons).toEqual(['start', 'refused']);
    expect(await textsOf('granted.12')).toEqual(['x']);
  });
});
