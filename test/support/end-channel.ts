import { parseChannelName } from '../../src/events/channel-name.ts';
import type { Appended, EventLog } from '../../src/log/event-log.ts';
import { POLICY } from './append-one.ts';

/** Ends a channel in the log, with an event for each text. Returns the position of the end. */
export async function endChannel(
  log: EventLog,
  channel: string,
  texts: readonly string[] = [],
): Promise<string> {
  const events = texts.map((data) => ({ data }));
  const options = { policy: POLICY, end: true };
  return ((await log.append(parseChannelName(channel), events, options)).at(-1) as Appended).id;
}
