import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { FailedAttempts } from '../../../src/auth/failed-attempts.ts';
import { CredentialGuard } from '../../../src/auth/credential-guard.ts';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';
import { PublisherAccess } from '../../../src/auth/publisher-access.ts';
import type { EventId } from '../../../src/events/event.ts';
import { UNEXPECTED, problemOf, sendProblem } from '../../../src/http/problem.ts';
import { publishRoutes } from '../../../src/routes/publish.ts';
import { PublishLane } from '../../../src/routes/publish-lane.ts';
import { Publisher } from '../../../src/publish/publisher.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';

/** Values that somebody with access to Redis may have put in the place of an idempotency key's id. */
const FOREIGN = [
  '1-0","admin":true,"x":"',
  '',
  'x',
  '1-0\r\nSet-Cookie: a=b',
  '9'.repeat(100_000),
  '18446744073709551616-0',
] as EventId[];

const MAX_BYTES = 1024 ** 2;
const FOUND = expect.stringMatching(/^the log returned an invalid id: ".{0,100}"$/s) as string;
const body = '{"channel":"news","data":"x"}';
const headers = [
  'Authorization: Bearer key',
  'Content-Type: application/json',
  `Content-Length: ${body.length}`,
];

/** A publisher on a log that answers with this id. */
function publisherOf(id: EventId): Publisher {
  const attempts = new FailedAttempts({ limit: Infinity, window: 0 });
  const guard = new CredentialGuard({ attempts, onFailed: () => undefined, onTooMany: () => undefined });
  return new Publisher({
    log: { append: () => Promise.resolve([{ id, replayed: true }]), checkKeys: () => Promise.resolve() },
    policies: { historyOf: () => ({ size: 1, ttl: 1 }), isLatest: () => false },
    credentials: new PublisherAccess({ keys: new PublishKeys(['key']), verifier: undefined, guard }),
    revocations: { refuses: () => false },
    limiter: { isOff: true, count: () => undefined },
    subscribed: { list: () => Promise.reject(new Error('not asked')) },
    loop: new FairLoop(),
    maxBodyBytes: MAX_BYTES,
    instruments: { published: () => undefined },
    tracer: undefined,
  });
}

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe.each(FOREIGN)('when the log answers with %.40j', (id) => {
  const publisher = publisherOf(id);

  test('the lane answers with an internal error, and reports it', async () => {
    const errors: unknown[] = [];
    const server = createServer();
    const lane = new PublishLane(server, {
      publisher,
      streams: { admit: () => undefined, open: () => undefined },
      trusts: () => false,
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
    expect([answer.status, JSON.parse(answer.body)]).toEqual([500, problemOf(UNEXPECTED)]);
    expect(errors).toEqual([expect.objectContaining({ message: FOUND })]);
  });

  test('the route does not return the id either', async () => {
    const app = Fastify();
    closing.push(() => app.close());
    const errors: unknown[] = [];
    app.setErrorHandler((error, _request, reply) => {
      errors.push(error);
      return sendProblem(reply, UNEXPECTED);
    });
    await app.register(publishRoutes, {
      publisher,
      loop: new FairLoop(),
    });
    const answer = await app.inject({
      method: 'POST',
      url: '/publish',
      headers: { authorization: 'Bearer key', 'content-type': 'application/json' },
      body,
    });
    expect([answer.statusCode, answer.json()]).toEqual([500, problemOf(UNEXPECTED)]);
    expect(errors).toEqual([expect.objectContaining({ message: FOUND })]);
  });
});
