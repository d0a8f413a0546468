import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

/** About as many requests as one read of a socket can bring. */
const FLOOD = 1_200;
const AHEAD = 64;

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

test.each([
  ['GET', '/livez'],
  ['GET', '/metrics'],
  ['HEAD', '/events/news'],
  ['GET', '/nothing'],
])(
  'of thousands of %s %s in one packet a few are answered, then one with 429, then the connection ends',
  async (method, path) => {
    const connection = await openRaw(broker.port);
    const requests = requestBytes({ method, path });
    connection.send(Buffer.concat(Array.from({ length: FLOOD }, () => requests)));
    let last: RawAnswer;
    let answers = 0;
    do {
      last = await connection.answer(method);
      answers++;
    } while (last.status !== 429 && answers < FLOOD);
    expect(answers).toBeGreaterThan(AHEAD);
    expect(answers).toBeLessThan(FLOOD / 4);
    if (method !== 'HEAD') expect(readProblem(last, 429).code).toBe('too-many-requests');
    expect(last.header('retry-after')).toBe('1');
    await connection.ended;
    expect(connection.text).toBe('');
  },
);

test(`${AHEAD} pipelined requests are all answered, however often they come`, async () => {
  const connection = await openRaw(broker.port);
  const requests = Buffer.concat(Array.from({ length: AHEAD }, () => requestBytes({ path: '/livez' })));
  for (let round = 0; round < 5; round++) {
    connection.send(requests);
    for (let i = 0; i < AHEAD; i++) expect((await connection.answer()).status).toBe(200);
  }
  connection.close();
});
