import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange, openRaw } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

describe('one packet of a stranger delays nobody', () => {
  test.each([
    ['blanks and a byte that does not belong', `a:${' '.repeat(8_150)}\u007f`],
    ['tabs and a byte that does not belong', `a:${'\t'.repeat(8_150)}\u007f`],
    ['blanks in a value', `a: x${' '.repeat(8_100)}x${' '.repeat(30)}\u007f`],
    ['blanks in credentials', `Authorization: Bearer${' '.repeat(8_000)}\u007f`],
  ])('%s', async (_what, line) => {
    const connection = await openRaw(broker.port);
    connection.send(Buffer.from(`POST /publish HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`, 'latin1'));
    // Sent after the packet, on a connection of its own. This request once waited for a minute and a half.
    expect((await exchange(broker.port, { path: '/livez' })).status).toBe(200);
    expect(readProblem(await connection.answer(), 400).code).toBe('bad-request');
    connection.close();
  });
});
