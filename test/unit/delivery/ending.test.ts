import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { Start } from '../../../src/events/cursor.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { Sink } from '../../../src/delivery/sink.ts';
import { HubFixture } from '../../support/hub-fixture.ts';

const NEWS = parseChannelName('news');
const CALLS = ['deliver', 'gap', 'waiting', 'ready', 'ended'] as const;
type Call = (typeof CALLS)[number];

let fixture: HubFixture;
beforeEach(() => {
  fixture = new HubFixture();
});
afterEach(() => fixture.close());

/** A subscription that is ended while the sink is called in this way; gives all calls, from the first on. */
function subscribeUntil(start: Start, last: Call, staysWritable: boolean): Call[] {
  const calls: Call[] = [];
  let isOpen = true;
  const note = (call: Call): void => {
    calls.push(call);
    if (call !== last) return;
    isOpen = staysWritable;
    fixture.hub.unsubscribe(NEWS, subscription);
    // A wire that drains after its end wakes its source all the same.
    setImmediate(() => {
      isOpen = true;
      subscription.resume();
    });
  };
  const sink: Sink = {
    get writable() {
      return isOpen;
    },
    deliver: () => note('deliver'),
    gap: () => note('gap'),
    waiting: () => note('waiting'),
    ready: () => note('ready'),
    ended: () => note('ended'),
  };
  const subscription = fixture.hub.subscribe(NEWS, start, sink);
  return calls;
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

describe.each([
  ['which takes more', true],
  ['which takes nothing more', false],
])('a subscription that ends while its sink, %s, is called', (_kind, staysWritable) => {
  test.each([
    ['with a page from the log', { from: 'earliest' }, 'deliver'],
    ['with a gap at a cursor that cannot be read', { from: 'unreadable' }, 'gap'],
    ['with a gap before a page', { from: 'id', id: '1-1' }, 'gap'],
    ['to say that it is live', { from: 'tail' }, 'ready'],
  ] as const)('%s writes nothing more', async (_call, start, last) => {
    await fixture.publishMany(3);
    const calls = subscribeUntil(start as Start, last, staysWritable);
    await expect.poll(() => calls).toContain(last);
    await turns();
    await fixture.publish('later');
    await turns();
    expect(calls.indexOf(last)).toBe(calls.length - 1);
    expect(fixture.counts.of.delivered).toBe(0);
  });

  test('with an event as it is published, writes nothing more', async () => {
    const calls = subscribeUntil({ from: 'tail' }, 'deliver', staysWritable);
    await expect.poll(() => calls).toEqual(['ready']);
    for (let i = 0; i < 3; i++) {
      await fixture.publish(String(i));
      await turns();
    }
    expect(calls).toEqual(['ready', 'deliver']);
  });

  test('to say that the log is away, writes nothing more', async () => {
    await fixture.publishMany(3);
    fixture.log.refusal = new BrokerError('log-unavailable', 'away', { trouble: 'OOM' });
    const calls = subscribeUntil({ from: 'id', id: ORIGIN }, 'waiting', staysWritable);
    await expect.poll(() => calls).toEqual(['waiting']);
    fixture.log.refusal = undefined;
    // The log is asked again, by another subscriber at the same position at the latest.
    const { sink } = fixture.subscribe({ from: 'earliest' });
    await sink.until(() => sink.isReady);
    await turns();
    expect(calls).toEqual(['waiting']);
  });
});
