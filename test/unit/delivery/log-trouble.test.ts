import { afterEach, expect, test } from 'vitest';
import type { Start } from '../../../src/events/cursor.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import type { EventId } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';

const fixtures: HubFixture[] = [];

afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((one) => one.close()));
});

test('a subscriber that waits for a refusing log gets the reason once, and every event when the log works again', async () => {
  const one = new HubFixture(1);
  fixtures.push(one);
  const ids = await one.publishMany(3);
  one.log.refusal = new BrokerError('log-unavailable', 'wrong type', { trouble: 'WRONGTYPE' });
  const starts: readonly Start[] = [
    ...[0, 0, 1].map((index) => ({ from: 'id', id: ids[index] as EventId }) as const),
    { from: 'last', count: 1 },
  ];
  const readers = starts.map((start) => one.subscribe(start).sink);
  await Promise.all(readers.map((sink) => sink.until(({ received }) => received.length > 0)));
  // The log was read several times, and the reason was sent once.
  await expect.poll(() => one.troubles.length).toBeGreaterThan(2);
  for (const sink of readers) expect(sink.received).toEqual([{ kind: 'waiting', reason: 'WRONGTYPE' }]);

  one.log.refusal = undefined;
  await Promise.all(readers.map((sink) => sink.until(({ isReady }) => isReady)));
  expect(readers.map((sink) => sink.ids)).toEqual([ids.slice(1), ids.slice(1), ids.slice(2), ids.slice(2)]);
  expect(readers.flatMap((sink) => sink.gaps)).toEqual([]);
});
