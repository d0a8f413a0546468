import type { ChannelName } from '../../src/events/channel-name.ts';
import type { AppendOptions, Appended, EventLog, HistoryPolicy } from '../../src/log/event-log.ts';

/** The history policy of a channel, unless a test gives another one. */
export const POLICY: HistoryPolicy = { size: 100, ttl: 60_000 };

/** Appends one event with data only. */
export async function appendOne(
  log: EventLog,
  channel: ChannelName,
  data: string,
  options: Partial<AppendOptions> = {},
): Promise<Appended> {
  const [appended] = await log.append(channel, [{ data }], { policy: POLICY, ...options });
  return appended as Appended;
}
