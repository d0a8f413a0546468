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

/** The data of all that comes before ready. */
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

  test('the header, whatever the queries say', async () => {
    const query = `?last_event_id=${afterOne?.()}&lastEventId=${afterTwo?.()}`;
    expect(await replayed(query, afterThree?.())).toEqual(['four']);
  });

  test('?last_event_id= before ?lastEventId=, in whatever order', async () => {
    const query = `?lastEventId=${afterOne?.()}&last_event_id=${afterThree?.()}`;
    expect(await replayed(query)).toEqual(['four']);
  });

  test('the query, when the header is empty', async () => {
    expect(await replayed(`?last_event_id=${afterThree?.()}`, '')).toEqual(['four']);
  });

  test('the header, strange as it is, when the query would do', async () => {
    expect(await replayed(`?last_event_id=${afterThree?.()}`, 'garbage')).toEqual(['sluice:gap']);
  });

  test.each(['?last=3', '?since=0', '?last=x'])('the header, when there is also %s', async (query) => {
    expect(await replayed(query, afterThree?.())).toEqual(['four']);
  });

  test('earliest, from wherever it comes', async () => {
    const all = ['one', 'two', 'three', 'four'];
    expect(await replayed('', 'earliest')).toEqual(all);
    expect(await replayed('?last_event_id=earliest')).toEqual(all);
    expect(await replayed('?lastEventId=earliest')).toEqual(all);
  });

  test('in the form of a connection with many channels, of which the own one counts', async () => {
    const cursor = `other@9-9,steps@${afterThree?.()},more@1-0`;
    expect(await replayed('', cursor)).toEqual(['four']);
    expect(await replayed('', 'other@9-9')).toEqual([]);
  });
});
