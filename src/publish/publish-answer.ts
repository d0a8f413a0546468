import type { ChannelName } from '../events/channel-name.ts';
import { parseEventId } from '../events/event.ts';
import type { Appended } from '../log/event-log.ts';
import type { ManyAppended } from './append-many.ts';
import type { PublicationList } from './publication-list.ts';

/** The answer to a publish whose events are in the log. */
export interface PublishAnswer {
  /** JSON in ASCII. */
  readonly json: string;
  /** True when an earlier publish with the same idempotency key gave all ids. */
  readonly replayed: boolean;
}

/** The answer to a publish of one event. @throws Error for an invalid id */
export function acknowledgementOf(channel: ChannelName, [appended]: readonly Appended[]): PublishAnswer {
  return { json: pairOf(channel, appended), replayed: appended?.replayed === true };
}

/** The JSON for a body of many events: one id for each, in the order of the body. @throws Error for an invalid id */
export function listOf({ items }: PublicationList, results: ManyAppended['results']): string {
  let json = '';
  for (const { of, index } of items)
    json += `${json === '' ? '' : ','}${pairOf(of.channel, results.get(of)?.[index])}`;
  return `{"events":[${json}]}`;
}

export function isReplayed(results: ManyAppended['results']): boolean {
  for (const some of results.values()) if (some.some(({ replayed }) => !replayed)) return false;
  return results.size > 0;
}

/**
 * The JSON of a channel and an id. No channel name and no id holds a character that JSON escapes.
 * @throws Error for an invalid id: another user of Redis may have written it
 */
function pairOf(channel: ChannelName, appended: Appended | undefined): string {
  const id = appended?.id ?? '';
  if (parseEventId(id) === undefined)
    throw new Error(`the log returned an invalid id: ${JSON.stringify(id.slice(0, 100))}`);
  return `{"channel":"${channel}","id":"${id}"}`;
}
