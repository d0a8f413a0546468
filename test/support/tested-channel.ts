import { randomUUID } from 'node:crypto';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { EventId } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import type {
  AppendOptions,
  ChannelState,
  EventLog,
  HistoryPolicy,
  LogPage,
} from '../../src/log/event-log.ts';
import { POLICY } from './append-one.ts';
import { Listener } from './listener.ts';

const LONG = 1_000;

/** Records of events with data only. */
export const recordsOf = (all: readonly string[]): string[] => all.map((data) => encodeRecord({ data }));

/** A new channel of a log, with short ways to call the log. */
export class TestedChannel {
  readonly name: ChannelName = parseChannelName(`tested-${randomUUID()}`);
  readonly log: EventLog;

  constructor(log: EventLog) {
    this.log = log;
  }

  /** The record of the event that says that this channel was cleared. */
  get cleared(): string {
    return encodeRecord({ type: 'sluice:cleared', data: `{"channel":"${this.name}"}` });
  }

  async append(texts: readonly string[], options: Partial<AppendOptions> = {}): Promise<EventId[]> {
    const events = texts.map((data) => ({ data }));
    const appended = await this.log.append(this.name, events, { policy: POLICY, ...options });
    return appended.map(({ id }) => id);
  }

  /** Appends, and returns the last id. */
  async last(texts: readonly string[], options: Partial<AppendOptions> = {}): Promise<EventId> {
    return (await this.append(texts, options)).at(-1) as EventId;
  }

  read(after: EventId, policy = POLICY): Promise<LogPage> {
    return this.log.read(this.name, after, LONG, policy);
  }

  state(): Promise<ChannelState> {
    return this.log.state(this.name);
  }

  rewind(count = LONG, policy = POLICY): Promise<EventId> {
    return this.log.rewind(this.name, count, policy);
  }

  clear(policy = POLICY): Promise<boolean> {
    return this.log.clear(this.name, policy);
  }

  /** The records that the channel has kept. */
  async records(policy: HistoryPolicy = POLICY): Promise<string[]> {
    const { events } = await this.read(await this.rewind(LONG, policy), policy);
    return events.map(({ record }) => record.toString());
  }

  /** Returns a listener that follows the channel already. */
  async follow(): Promise<Listener> {
    const listener = new Listener();
    this.log.follow(this.name, listener);
    await listener.following();
    return listener;
  }
}
