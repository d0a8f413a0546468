import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventRun } from '../../../src/events/event-run.ts';
import { EVENT_FRAMES } from '../../../src/stream/event-frames.ts';
import { KeptPages } from '../../../src/delivery/kept-pages.ts';
import { Retention } from '../../../src/delivery/retention.ts';
import { SharedPage } from '../../../src/delivery/shared-page.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const NEWS = parseChannelName('news');
/** Bytes that one write to a subscriber may join. */
const MAX_WRITE = 256 * 1024;

/** What a page and its form keep in memory: each buffer whole, and once. */
function keptBytes({ run }: SharedPage): number {
  const buffers = new Set([...run.events.map(({ record }) => record), run.as(EVENT_FRAMES).plain]);
  const kept = new Set([...buffers].map(({ buffer }) => buffer));
  return [...kept].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

class MeasuringSink extends RecordingSink {
  readonly sizes: number[] = [];

  override deliver(run: EventRun): void {
    this.sizes.push(run.as(EVENT_FRAMES).plain.length);
    super.deliver(run);
  }
}

let fixture: HubFixture;
beforeEach(() => {
  fixture = new HubFixture();
});
afterEach(() => fixture.close());

describe('law 5, Bounded', () => {
  test.each([
    ['of one byte', 40_000, 'x'],
    ['of 100 bytes', 8_000, 'x'.repeat(100)],
    ['of line breaks alone', 500, '\n'.repeat(1_000)],
    ['of CRLF alone', 300, '\r\n'.repeat(1_000)],
  ])('a write holds 256 KiB at most, of events %s', async (_kind, count, data) => {
    const { sink } = fixture.subscribe({ from: 'tail' }, new MeasuringSink());
    await sink.until(() => sink.isReady);
    // No turn of the event loop passes between these, so all of them wait for one.
    let last = '';
    for (let i = 0; i < count; i++) last = await fixture.publish(data);
    await sink.until(() => sink.position === last);
    expect(sink.ids).toHaveLength(count);
    expect(fixture.counts.of.delivered).toBe(count);
    const { sizes } = sink as MeasuringSink;
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_WRITE);
    // And is no shorter than it has to be.
    expect(sizes.length).toBeLessThanOrEqual(3 * Math.ceil(sizes.reduce((a, b) => a + b) / MAX_WRITE));
  });

  test('events that wait to be written count with all that is sent of them, however small they are', async () => {
    const { sink } = fixture.subscribe();
    await sink.until(() => sink.isReady);
    let last = '';
    for (let i = 0; i < 160_000; i++) last = await fixture.publish('');
    await sink.until(() => sink.position === last);
    expect(sink.gaps).not.toEqual([]);
    expect(fixture.counts.of.delivered).toBeLessThan(20_000);
  });

  test.each([
    ['one line each', 'x'.repeat(1_000)],
    ['line breaks alone', '\n'.repeat(20_000)],
    ['nothing', ''],
  ])('a page that is kept counts with all that it keeps in memory: events of %s', async (_kind, data) => {
    for (let i = 0; i < 200; i++) await fixture.publish(data);
    const asked = ORIGIN;
    const page = SharedPage.of(asked, await fixture.memory.read(NEWS, asked, 200, fixture.policy));
    const budget = { limit: 1024 * 1024, used: 0 };
    const kept = new KeptPages(budget, new Retention(fixture.policy));
    expect(kept.keep(page, 1, 0)).toBe(true);
    expect(budget.used).toBeGreaterThanOrEqual(keptBytes(page));
    const { used } = budget;
    // Where there is no room for what it keeps, a page is not kept.
    expect(new KeptPages({ limit: used - 1, used: 0 }, new Retention(fixture.policy)).keep(page, 1, 0)).toBe(
      false,
    );
    kept.forget();
    expect(budget.used).toBe(0);
  });
});
