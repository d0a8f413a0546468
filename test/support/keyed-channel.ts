import type { EventId, NewEvent, StoredEvent } from '../../src/events/event.ts';
import { deletedEvent, readRecord } from '../../src/events/record.ts';
import { MAX_APPENDED } from '../../src/log/event-log.ts';
import type { AppendOptions, HistoryPolicy, LatestCursor, LatestPage } from '../../src/log/event-log.ts';
import { POLICY } from './append-one.ts';
import { TestedChannel } from './tested-channel.ts';

const MAX_BYTES = 1024 * 1024;
const ALL = 100_000;

/** A new channel of a log, with short ways to change and read its state. */
export class KeyedChannel extends TestedChannel {
  /** Appends, and returns the last id. */
  async publish(events: readonly NewEvent[], options: Partial<AppendOptions> = {}): Promise<EventId> {
    const appended = await this.log.append(this.name, events, { policy: POLICY, ...options });
    return appended.at(-1)?.id as EventId;
  }

  set(key: string, data: string, options: Partial<AppendOptions> = {}): Promise<EventId> {
    return this.publish([{ key, data }], options);
  }

  delete(key: string): Promise<EventId> {
    return this.publish([this.deletion(key)]);
  }

  deletion(key: string): NewEvent {
    return deletedEvent(this.name, key);
  }

  /** Sets the keys `key-<first>` and those after it. */
  async fill(count: number, first = 0, policy: HistoryPolicy = POLICY): Promise<void> {
    for (let done = 0; done < count; done += MAX_APPENDED) {
      const events = Array.from({ length: Math.min(MAX_APPENDED, count - done) }, (_, i) => ({
        key: `key-${first + done + i}`,
        data: 'x',
      }));
      await this.publish(events, { policy });
    }
  }

  /** Reads a page of the state. */
  latest(
    after?: LatestCursor,
    { limit = ALL, maxBytes = MAX_BYTES }: { readonly limit?: number; readonly maxBytes?: number } = {},
  ): Promise<LatestPage> {
    return this.log.readLatest(this.name, after, { limit, maxBytes });
  }

  /** Key and data of each event of the state. */
  async entries(): Promise<[key: string, data: string][]> {
    return this.entriesOf((await this.latest()).events);
  }

  async keys(): Promise<string[]> {
    return this.keysOf((await this.latest()).events);
  }

  entriesOf(events: readonly StoredEvent[]): [key: string, data: string][] {
    return events.map(({ record }) => {
      const read = readRecord(record);
      return read.version === 1 ? [read.key ?? 'no key', read.data.toString()] : ['no key', ''];
    });
  }

  keysOf(events: readonly StoredEvent[]): string[] {
    return this.entriesOf(events).map(([key]) => key);
  }

  /** Does to a state what the event does. */
  apply(state: Map<string, string>, event: StoredEvent): void {
    const read = readRecord(event.record);
    if (read.version === 0 || read.key === undefined) return;
    if (read.type === 'sluice:deleted') state.delete(read.key);
    else state.set(read.key, read.data.toString());
  }
}
