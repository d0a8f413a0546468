import type { ChannelName } from '../../src/events/channel-name.ts';
import type { AppendOptions, Appended, EventLog, HistoryPolicy } from '../../src/log/event-log.ts';

/** What is kept of a channel where a test does not say otherwise. */
export const POLICY: HistoryPolicy = { size: 100, ttl: 60_000 };

/** Appends one event that has nothing but its data. */
export async function appendOne(
  log: EventLog,
  channel: ChannelName,
  data: string,
  options: Partial<AppendOptions> = {},
): Promise<Appended> {
  const [appended] = await log.append(channel, [{ data }], { policy: POLICY, ...options });
  return appended as Appended;
}
