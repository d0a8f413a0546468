import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';
import { parseChannelName } from '../../../src/core/channel-name.ts';
import type { EventId } from '../../../src/core/event.ts';
import { UNFORESEEN, problemOf, sendProblem } from '../../../src/http/problem.ts';
import { acknowledgement } from '../../../src/http/publication.ts';
import { publishRoutes } from '../../../src/http/publish.ts';
import { PublishLane } from '../../../src/http/publish-lane.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { FairLoop } from '../../../src/core/fair-loop.ts';

/** What somebody with access to Redis may have put where the log keeps the id of an idempotency key. */
const FOREIGN = [
  '1-0","admin":true,"x":"',
  '',
  'x',
  '1-0\r\nSet-Cookie: a=b',
  '9'.repeat(100_000),
  '18446744073709551616-0',
] as EventId[];

const MAX_BYTES = 1024 ** 2;
const channel = parseChannelName('news');
const body = '{"channel":"news","data":"x"}';
const headers = [
  'Authorization: Bearer key',
  'Content-Type: application/json',
  `Content-Length: ${body.length}`,
];

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

test.each(FOREIGN)('an acknowledgement is not made of what is no id: %.40j', (id) => {
  expect(() => acknowledgement(channel, id)).toThrow(
    /^the log answered with an id that is none: ".{0,100}"$/s,
  );
});

describe.each(FOREIGN)('when the log answers with %.40j', (id) => {
  const hub = { publish: () => Promise.resolve({ id, replayed: true }) };

  test('the lane says that something went wrong, and what', async () => {
    const errors: unknown[] = [];
    const server = createServer();
    const lane = new PublishLane(server, {
      hub,
      keys: new PublishKeys(['key']),
      maxHeaderBytes: 16_384,
      maxBodyBytes: MAX_BYTES,
      keepAlive: 60_000,
      loop: new FairLoop(),
      onError: (error) => errors.push(error),
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(
      () => server.close(),
      () => lane.close(),
    );
    const connection = await openRaw((server.address() as AddressInfo).port);
    connection.send(requestBytes({ method: 'POST', path: '/publish', headers, body }));
    const answer = await connection.answer();
    connection.close();
    expect([answer.status, JSON.parse(answer.body)]).toEqual([500, problemOf(UNFORESEEN)]);
    expect(errors).toHaveLength(1);
  });

  test('the route does not answer with it either', async () => {
    const app = Fastify();
    closing.push(() => app.close());
    const errors: unknown[] = [];
    app.setErrorHandler((error, _request, reply) => {
      errors.push(error);
      return sendProblem(reply, UNFORESEEN);
    });
    await app.register(publishRoutes, {
      hub,
      publishers: { of: () => new PublishKeys(['key']).access('key') ?? expect.unreachable() },
      revocations: { refuses: () => false },
      rates: {
        perKey: undefined,
        perAddress: undefined,
        counter: undefined,
        onUncounted: () => undefined,
        onRefused: () => undefined,
      },
      maxBodyBytes: MAX_BYTES,
      loop: new FairLoop(),
      tracer: undefined,
    });
    const answer = await app.inject({
      method: 'POST',
      url: '/publish',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect([answer.statusCode, answer.json()]).toEqual([500, problemOf(UNFORESEEN)]);
    expect(errors).toHaveLength(1);
  });
});
