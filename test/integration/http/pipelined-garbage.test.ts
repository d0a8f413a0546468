import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';

const GARBAGE = Buffer.from('garbage\r\n\r\n');
const HALF = Buffer.from(
  'POST /publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n',
);
const ROUNDS = 20;

const get = (): Buffer => requestBytes({ path: '/livez' });
const page = (): Buffer => requestBytes({ path: '/' });
const unknown = (): Buffer => requestBytes({ path: '/nothing' });

describe.each([
  ['by default', {}],
  ['with a publish rate', { SLUICE_PUBLISH_RATE_PER_KEY: '100000/s' }],
])('%s, every request in one packet is answered, in order:', (_where, env) => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker(env);
  });
  afterAll(() => broker.kill());

  const publish = (): Buffer =>
    requestBytes(publishRequest(broker, { body: '{"channel":"news","data":"x"}' }));

  test.each<readonly [what: string, requests: () => readonly Buffer[], statuses: readonly number[]]>([
    ['a publish, garbage', () => [publish(), GARBAGE], [200, 400]],
    ['a publish, a GET', () => [publish(), get()], [200, 200]],
    ['a GET, garbage', () => [get(), GARBAGE], [200, 400]],
    ['a GET, a publish, garbage', () => [get(), publish(), GARBAGE], [200, 200, 400]],
    ['a publish, a GET, garbage', () => [publish(), get(), GARBAGE], [200, 200, 400]],
    ['two publishes, garbage', () => [publish(), publish(), GARBAGE], [200, 200, 400]],
    ['a GET, a publish, a page, garbage', () => [get(), publish(), page(), GARBAGE], [200, 200, 200, 400]],
    ['a page, a 404, garbage', () => [page(), unknown(), GARBAGE], [200, 404, 400]],
    ['a GET, a body that breaks off', () => [get(), HALF], [200, 401]],
  ])('%s', async (_what, requests, statuses) => {
    for (let round = 0; round < ROUNDS; round++) {
      const connection = await openRaw(broker.port);
      connection.send(Buffer.concat(requests()));
      const seen: number[] = [];
      for (const _ of statuses) seen.push((await connection.answer()).status);
      expect(seen).toEqual(statuses);
      if (statuses.at(-1) === 400) {
        await connection.ended;
        expect(connection.text).toBe('');
      }
      connection.close();
    }
  });

  test('a GET, garbage, and later more garbage', async () => {
    const connection = await openRaw(broker.port);
    connection.send(Buffer.concat([get(), GARBAGE]));
    connection.send(GARBAGE);
    expect((await connection.answer()).status).toBe(200);
    expect((await connection.answer()).status).toBe(400);
    connection.send(GARBAGE);
    await connection.ended;
    expect(connection.text).toBe('');
    connection.close();
  });
});
