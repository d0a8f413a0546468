import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventId, StoredEvent } from '../../../src/events/event.ts';
import { encodeRecord } from '../../../src/events/record.ts';
import { HubFixture } from '../../support/hub-fixture.ts';

let fixture: HubFixture;
beforeEach(() => {
  fixture = new HubFixture();
});
afterEach(() => fixture.close());

const FAR = 99_999_999_999_999;

function falseEvent(prev: string, id: string): StoredEvent {
  return { prev: prev as EventId, id: id as EventId, record: Buffer.from(encodeRecord({ data: 'false' })) };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 200; i++) await nextTurn();
}

describe('an announcement of what the log does not hold', () => {
  test.each([
    ['one event with a predecessor that never was', [falseEvent(`${FAR}-0`, `${FAR}-1`)], 2],
    [
      'many such events',
      Array.from({ length: 5 }, (_, i) => falseEvent(`${FAR}-${2 * i}`, `${FAR}-${2 * i + 1}`)),
      6,
    ],
    [
      'events whose ids go back',
      [falseEvent(`${FAR}-5`, `${FAR}-6`), falseEvent(`${FAR}-6`, '1-1'), falseEvent('1-1', '1-2')],
      4,
    ],
  ])('costs a read for each event at the most, and no event of the log: %s', async (_kind, events, reads) => {
    const before = await fixture.publishMany(3);
    const { sink } = fixture.subscribe({ from: 'earliest' });
    await sink.until(() => sink.isReady);
    const known = fixture.log.reads;
    fixture.log.announceFalsely(events);
    await turns();
    expect(fixture.log.reads - known).toBeLessThanOrEqual(reads);
    const later = await fixture.publishMany(2);
    await sink.until(() => sink.position === later.at(-1));
    expect(sink.ids).toEqual([...before, ...later]);
    expect(sink.gaps).toEqual([]);
  });

  test('does not keep an event away that is missing for a moment only', async () => {
    const { sink } = fixture.subscribe();
    await sink.until(() => sink.isReady);
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) {
      // Each second announcement is lost, so each other event has a predecessor that was not heard of.
      if (i % 2 === 0) fixture.log.loseNext();
      ids.push(await fixture.publish(String(i)));
    }
    await sink.until(() => sink.position === ids.at(-1));
    expect(sink.ids).toEqual(ids);
  });
});
