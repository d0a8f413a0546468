import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Broker } from '../../support/broker.ts';
import { LOGS, startBrokerOn } from '../../support/broker-on-log.ts';
import type { BrokerOnLog } from '../../support/broker-on-log.ts';
import type { EventId } from '../../../src/events/event.ts';
import { openStream } from '../../support/sse-reader.ts';
import { StateView } from '../../support/state-view.ts';

const KEYS = 10_000;
const BODIES = 24;
/** Events in a body. They are 2,000 a second and more. */
const EVENTS = 200;
/** How many bodies come between two readers. */
const PAUSE = 3;

/** Reads a stream with `?state` until its page has this value of the key `last`. */
async function readUntil(url: string, last: number): Promise<StateView> {
  const view = new StateView();
  const stream = await openStream(url);
  let at = 0;
  await stream.when(({ events }) => {
    for (const { id = '', event = '', data } of events.slice(at)) {
      if (event === 'sluice:gap') view.lose();
      else if (event === '' || event === 'sluice:deleted') view.take(id as EventId, data);
    }
    at = events.length;
    return view.values.get('last') === last;
  });
  stream.close();
  return view;
}

describe.each(LOGS)('with %s', (log) => {
  let started: BrokerOnLog;
  let broker: Broker;
  beforeAll(async () => {
    const rule = { match: 'prices', keys: KEYS, public: true, history: { size: 100_000 } };
    started = await startBrokerOn(log, { SLUICE_CHANNELS: JSON.stringify([rule]) });
    ({ broker } = started);
  });
  afterAll(() => started.stop());

  const values = new Map<string, number>();
  let value = 0;

  /** Publishes a change of each key, in one body. */
  async function change(keys: readonly string[]): Promise<void> {
    const lines = keys.map((key) => {
      values.set(key, ++value);
      return JSON.stringify({ channel: 'prices', key, data: { key, value } });
    });
    const { status } = await fetch(`${broker.url}/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    expect(status).toBe(200);
  }

  test('10,000 keys change all the time, and every reader that joins ends with the same state', async () => {
    const keys = Array.from({ length: KEYS - 1 }, (_one, i) => `k${i}`);
    await change(keys);
    const end = value + BODIES * EVENTS + 1;
    const readers: Promise<StateView>[] = [];
    for (let i = 0; i < BODIES; i++) {
      if (i % PAUSE === 0) readers.push(readUntil(`${broker.url}/events/prices?state`, end));
      const from = (i * 977) % (KEYS - EVENTS);
      await change(keys.slice(from, from + EVENTS));
    }
    await change(['last']);
    expect(value).toBe(end);
    for (const view of await Promise.all(readers)) {
      expect(view.disorder).toEqual([]);
      expect(view.values.size).toBe(values.size);
      expect([...values].filter(([key, one]) => view.values.get(key) !== one)).toEqual([]);
    }
    const answer = await fetch(`${broker.url}/channels/prices/state`);
    const { events } = (await answer.json()) as { readonly events: readonly { readonly data: string }[] };
    expect(events.at(-1)?.data).toBe(JSON.stringify({ key: 'last', value: end }));
    expect(events).toHaveLength(KEYS);
  });
});
