import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const CHANNELS = 60;
/** Nearly as much as one channel may hold back. */
const LARGE = 'x'.repeat(900_000);

let fixture: HubFixture;
afterEach(() => fixture.close());

/** Counts the reads of the log until every channel has all events. Each channel held back one event with this text. */
async function readsAfterHoldingBack(text: string): Promise<number> {
  fixture = new HubFixture();
  const { hub, log } = fixture;
  const names = Array.from({ length: CHANNELS }, (_, i) => parseChannelName(`c${i}`));
  const sinks = names.map((name) => {
    const sink = new RecordingSink();
    hub.subscribe(name, { from: 'tail' }, sink);
    return sink;
  });
  await Promise.all(sinks.map((sink) => sink.until((one) => one.isReady)));

  log.withholdPages();
  const before = log.reads;
  for (const name of names) {
    log.loseNext();
    await fixture.publish('unheard', name);
    await fixture.publish('after the hole', name);
    await expect.poll(() => log.reads).toBeGreaterThan(before + names.indexOf(name));
    await fixture.publish(text, name);
  }
  log.releasePages();
  await Promise.all(sinks.map((sink) => sink.until((one) => one.ids.length === 3)));
  for (const [i, name] of names.entries()) {
    const { events } = await fixture.memory.read(name, ORIGIN, 10, fixture.policy);
    expect(sinks[i]?.gaps).toEqual([]);
    expect(new Set(sinks[i]?.ids).size).toBe(3);
    // A large event is a page of its own.
    expect(sinks[i]?.ids.slice(0, events.length)).toEqual(events.map((event) => event.id));
  }
  return log.reads - before;
}

describe('what is announced while a channel reads the log', () => {
  test('is held back, and not read from the log again', async () => {
    expect(await readsAfterHoldingBack('small')).toBe(CHANNELS);
  });

  test('is held back up to a limit for all channels; events beyond the limit are read from the log', async () => {
    const reads = await readsAfterHoldingBack(LARGE);
    // The limit of 32 MiB holds 37 of the events.
    expect(reads).toBeGreaterThanOrEqual(CHANNELS + 20);
    expect(reads).toBeLessThan(CHANNELS * 2);
  });
});
