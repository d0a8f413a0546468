import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
const ids: string[] = [];
beforeAll(async () => {
  broker = await startBroker();
  for (const data of ['one', 'two', 'three', 'four']) ids.push(await broker.publish('steps', data));
});
afterAll(() => broker.kill());

/** The data of all events before `sluice:ready`. */
async function replayed(query: string, header?: string): Promise<string[]> {
  const headers = header === undefined ? {} : { 'last-event-id': header };
  const stream = await openStream(`${broker.url}/events/steps${query}`, { headers });
  const events = await stream.until('sluice:ready');
  stream.close();
  expect(events.at(-1)?.id).toBe(ids[3]);
  return events.slice(0, -1).map(({ event, data }) => event ?? data);
}

const [afterOne, afterTwo, afterThree] = [0, 1, 2].map((index) => () => ids[index] ?? '');

describe('the cursor is', () => {
  test('the header', async () => {
    expect(await replayed('', afterTwo?.())).toEqual(['three', 'four']);
  });

  test('else ?last_event_id=', async () => {
    expect(await replayed(`?last_event_id=${afterTwo?.()}`)).toEqual(['three', 'four']);
  });

  test('else ?lastEventId=', async () => {
    expect(await replayed(`?lastEventId=${afterTwo?.()}`)).toEqual(['three', 'four']);
  });

  test.each(['lastEventID', 'last-event-id', 'Last-Event-ID'])('else ?%s=', async (name) => {
    expect(await replayed(`?${name}=${afterTwo?.()}`)).toEqual(['three', 'four']);
    expect(await replayed(`?${name}=${afterOne?.()}&lastEventId=${afterTwo?.()}`)).toEqual(['three', 'four']);
  });

  test('the header, whatever the query says', async () => {
    const query = `?last_event_id=${afterOne?.()}&lastEventId=${afterTwo?.()}`;
    expect(await replayed(query, afterThree?.())).toEqual(['four']);
  });

  test('?last_event_id= before ?lastEventId=, in any order', async () => {
    const query = `?lastEventId=${afterOne?.()}&last_event_id=${afterThree?.()}`;
    expect(await replayed(query)).toEqual(['four']);
  });

  test('the query, when the header is empty', async () => {
    expect(await replayed(`?last_event_id=${afterThree?.()}`, '')).toEqual(['four']);
  });

  test('the header, even unreadable, when the query is readable', async () => {
    expect(await replayed(`?last_event_id=${afterThree?.()}`, 'garbage')).toEqual(['sluice:gap']);
  });

  test.each(['?last=3', '?since=0', '?last=x'])('the header, also together with %s', async (query) => {
    expect(await replayed(query, afterThree?.())).toEqual(['four']);
  });

  test('earliest, from any place', async () => {
    const all = ['one', 'two', 'three', 'four'];
    expect(await replayed('', 'earliest')).toEqual(all);
    expect(await replayed('?last_event_id=earliest')).toEqual(all);
    expect(await replayed('?lastEventId=earliest')).toEqual(all);
  });

  test("this channel's part of a cursor for many channels", async () => {
    const cursor = `other@9-9,steps@${afterThree?.()},more@1-0`;
    expect(await replayed('', cursor)).toEqual(['four']);
    expect(await replayed('', 'other@9-9')).toEqual([]);
  });
});
