import { expect, test } from 'vitest';
import { CredentialGuard } from '../../../src/auth/credential-guard.ts';
import { FailedAttempts } from '../../../src/auth/failed-attempts.ts';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';
import { PublisherAccess } from '../../../src/auth/publisher-access.ts';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import type { Appended, EventLog } from '../../../src/log/event-log.ts';
import type { EventId } from '../../../src/events/event.ts';
import { Publisher } from '../../../src/publish/publisher.ts';
import type { PublishAnswer } from '../../../src/publish/publish-answer.ts';
import type { PublishResult } from '../../../src/publish/publisher.ts';

const POLICY = { size: 7, ttl: 1_000 };
const ID = '5-0' as EventId;

interface Fixture {
  readonly results: PublishResult[];
  readonly publish: (idempotencyKey?: string) => Promise<PublishAnswer>;
}

function over(append: EventLog['append'], isLatest = false): Fixture {
  const attempts = new FailedAttempts({ limit: Infinity, window: 0 });
  const guard = new CredentialGuard({ attempts, onFailed: () => undefined, onTooMany: () => undefined });
  const results: PublishResult[] = [];
  const publisher = new Publisher({
    log: { append, checkKeys: () => Promise.resolve() },
    policies: { historyOf: () => POLICY, isLatest: () => isLatest },
    credentials: new PublisherAccess({ keys: new PublishKeys(['key']), verifier: undefined, guard }),
    revocations: { refuses: () => false },
    limiter: { isOff: true, count: () => undefined },
    subscribed: { list: () => Promise.reject(new Error('not asked')) },
    loop: new FairLoop(),
    maxBodyBytes: 1_000,
    instruments: { published: (result) => results.push(result) },
    tracer: undefined,
  });
  const bytes = Buffer.from('{"channel":"news","event":"a","data":"x"}');
  return {
    results,
    async publish(idempotencyKey) {
      const attempt = publisher.begin(() => expect.unreachable());
      expect(attempt.admit('key', '192.0.2.1', undefined)).toBeUndefined();
      const publication = publisher.read({ channel: undefined, type: undefined, bytes });
      if (publication.channels !== undefined) return expect.unreachable();
      return await attempt.publish(publication, idempotencyKey);
    },
  };
}

test("the log gets the event as it came, with the channel's history policy", async () => {
  const calls: unknown[] = [];
  const { publish, results } = over(async (...call) => {
    calls.push(call);
    return [{ id: ID, replayed: calls.length > 1 }];
  });
  expect(await publish('k')).toEqual({ json: '{"channel":"news","id":"5-0"}', replayed: false });
  expect(await publish('k')).toEqual({ json: '{"channel":"news","id":"5-0"}', replayed: true });
  const options = { policy: POLICY, idempotencyKey: 'k', end: false };
  expect(calls[0]).toEqual(['news', [{ type: 'a', data: 'x' }], options]);
  expect(results).toEqual(['ok', 'replayed']);
});

test('with the policy `latest`, an event without a key gets the empty one', async () => {
  const appended: unknown[] = [];
  const { publish } = over(async (_channel, events) => {
    appended.push(...events);
    return [{ id: ID, replayed: false }];
  }, true);
  await publish();
  expect(appended).toEqual([{ type: 'a', key: '', data: 'x' }]);
});

test.each([
  ['unavailable', new BrokerError('log-unavailable', 'away')],
  ['full', new BrokerError('log-full', 'full')],
  ['error', new Error('a fault')],
] as const)('an append that fails counts as %s', async (result, error) => {
  const { publish, results } = over(() => Promise.reject(error));
  await expect(publish()).rejects.toBe(error);
  expect(results).toEqual([result]);
});

test('10,000 publishes may wait for the log; one more is refused until one is answered', async () => {
  const waiting: ((appended: readonly Appended[]) => void)[] = [];
  const { publish, results } = over(() => new Promise((resolve) => waiting.push(resolve)));
  const published = Array.from({ length: 10_000 }, () => publish());
  await expect(publish()).rejects.toMatchObject({ code: 'log-unavailable' });
  expect(results).toEqual(['unavailable']);
  expect(waiting).toHaveLength(10_000);
  waiting[0]?.([{ id: ID, replayed: false }]);
  await published[0];
  published.push(publish());
  expect(waiting).toHaveLength(10_001);
  for (const answer of waiting) answer([{ id: ID, replayed: false }]);
  expect(await Promise.all(published)).toHaveLength(10_001);
});
