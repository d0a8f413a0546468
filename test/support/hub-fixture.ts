import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { Start } from '../../src/events/cursor.ts';
import type { Appended, HistoryPolicy } from '../../src/log/event-log.ts';
import type { EventId } from '../../src/events/event.ts';
import { deletedEvent } from '../../src/events/record.ts';
import { FairLoop } from '../../src/delivery/fair-loop.ts';
import { Hub } from '../../src/delivery/hub.ts';
import type { Instruments } from '../../src/delivery/instruments.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import type { MemoryEventLogOptions } from '../../src/log/embedded/memory-event-log.ts';
import { RecordingSink } from './recording-sink.ts';
import { seededRandom } from './seeded-random.ts';
import { ShakyLog } from './shaky-log.ts';
import type { Shakiness } from './shaky-log.ts';

const NEWS: ChannelName = parseChannelName('news');

class Counts implements Instruments {
  readonly of = { delivered: 0, replayed: 0, gaps: 0, heals: 0 };
  delivered(count: number): void {
    this.of.delivered += count;
  }
  replayed(count: number): void {
    this.of.replayed += count;
  }
  gap(): void {
    this.of.gaps++;
  }
  healed(): void {
    this.of.heals++;
  }
  fannedOut(): void {}
}

interface HubFixtureOptions extends Partial<MemoryEventLogOptions> {
  /** The history policy of every channel. */
  readonly policy?: Partial<HistoryPolicy>;
}

/** A hub on an embedded log with faults that the test controls. Close it after the test. */
export class HubFixture {
  readonly policy: HistoryPolicy;
  readonly random: () => number;
  readonly memory: MemoryEventLog;
  readonly log: ShakyLog;
  readonly hub: Hub;
  readonly counts = new Counts();
  /** The errors that the hub has reported for log reads that failed. */
  readonly troubles: unknown[] = [];

  constructor(
    seed = 1,
    shakiness: Shakiness = {},
    { policy: { size = 100_000, ttl = 3_600_000, keys } = {}, ...options }: HubFixtureOptions = {},
  ) {
    const policy = { size, ttl, keys };
    this.policy = policy;
    this.random = seededRandom(seed);
    this.memory = new MemoryEventLog({
      idempotencyTtl: 60_000,
      maxBytes: 256 * 1024 * 1024,
      ...options,
    });
    this.log = new ShakyLog(this.memory, this.random, shakiness);
    this.hub = new Hub({
      log: this.log,
      loop: new FairLoop(),
      instruments: this.counts,
      policies: { historyOf: () => policy },
      onTrouble: (_channel, error) => this.troubles.push(error),
    });
  }

  async publish(text: string, channel: ChannelName = NEWS): Promise<EventId> {
    const [appended] = await this.log.append(channel, [{ data: text }], { policy: this.policy });
    return (appended as Appended).id;
  }

  /** Publishes the newest value of a key. */
  async set(key: string, value: number, channel: ChannelName = NEWS): Promise<EventId> {
    const event = { key, data: JSON.stringify({ key, value }) };
    const [appended] = await this.log.append(channel, [event], { policy: this.policy });
    return (appended as Appended).id;
  }

  /** Deletes a key. */
  async forget(key: string, channel: ChannelName = NEWS): Promise<EventId> {
    const event = deletedEvent(channel, key);
    const [appended] = await this.log.append(channel, [event], { policy: this.policy });
    return (appended as Appended).id;
  }

  /** Ends the channel, with an event for each text. Returns the position of the end. */
  async end(texts: readonly string[] = [], channel: ChannelName = NEWS): Promise<EventId> {
    const events = texts.map((data) => ({ data }));
    const appended = await this.log.append(channel, events, { policy: this.policy, end: true });
    return (appended.at(-1) as Appended).id;
  }

  /** Deletes the events of the channel. Returns the id of `sluice:cleared`. */
  async clear(channel: ChannelName = NEWS): Promise<EventId> {
    await this.log.clear(channel, this.policy);
    return (await this.memory.state(channel)).tail;
  }

  async publishMany(count: number): Promise<EventId[]> {
    const ids: EventId[] = [];
    for (let i = 0; i < count; i++) ids.push(await this.publish(String(i)));
    return ids;
  }

  subscribe(
    start: Start = { from: 'tail' },
    sink: RecordingSink = new RecordingSink(),
  ): { sink: RecordingSink; end: () => void } {
    const subscription = this.hub.subscribe(NEWS, start, sink);
    sink.onWritable = () => subscription.resume();
    sink.onEnded = () => this.hub.unsubscribe(NEWS, subscription);
    return { sink, end: () => this.hub.unsubscribe(NEWS, subscription) };
  }

  async close(): Promise<void> {
    this.hub.close();
    await this.log.close();
  }
}
