import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { Start } from '../../../src/events/cursor.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const NEWS = parseChannelName('news');

let one: HubFixture;
let ids: EventId[];
beforeEach(async () => {
  one = new HubFixture(1, {}, { policy: { size: 4 } });
  ids = await one.publishMany(4);
});
afterEach(() => one.close());

/** The subscription's cursor before the log is asked, before it has answered, and once the subscriber is live. */
async function cursors(start: Start): Promise<readonly (EventId | undefined)[]> {
  const reads = one.log.reads;
  one.log.withholdPages();
  const sink = new RecordingSink();
  const subscription = one.hub.subscribe(NEWS, start, sink);
  const atOnce = subscription.cursor;
  await expect.poll(() => one.log.reads).toBeGreaterThan(reads);
  const asked = subscription.cursor;
  one.log.releasePages();
  await sink.until(({ isReady }) => isReady);
  return [atOnce, asked, subscription.cursor];
}

describe('before the log has answered, a subscriber', () => {
  test.each<[string, Start]>([
    ['of the events since a moment', { from: 'time', ms: 1 }],
    ['of the newest events', { from: 'last', count: 2 }],
    ['of all events', { from: 'earliest' }],
  ])('%s has no cursor yet, and begins anew', async (_who, start) => {
    expect(await cursors(start)).toEqual([undefined, undefined, ids[3]]);
  });

  test.each([0, 1])('with a cursor keeps it (%i)', async (index) => {
    const id = ids[index] as EventId;
    expect(await cursors({ from: 'id', id })).toEqual([id, id, ids[3]]);
  });

  test('that starts at a channel without events has the origin as its cursor once that is known', async () => {
    const empty = parseChannelName('empty');
    const sink = new RecordingSink();
    const subscription = one.hub.subscribe(empty, { from: 'earliest' }, sink);
    await sink.until(({ isReady }) => isReady);
    expect(subscription.cursor).toBe(ORIGIN);
  });
});
