import type { ChannelName } from '../events/channel-name.ts';
import type { NewEvent } from '../events/event.ts';
import { encodeRecord } from '../events/record.ts';
import { digestsOf } from './append-digests.ts';
import type { AppendOptions } from './event-log.ts';

/** A position of an append with an idempotency key. */
export interface KeyedPosition {
  /** The name under which the position is remembered. */
  readonly name: string;
  /** 16 hex digits. */
  readonly digest: string;
}

/** Returns a position for each event, or one for an end without events; undefined without an idempotency key. */
export function keyedPositions(
  channel: ChannelName,
  events: readonly NewEvent[],
  { idempotencyKey, firstPosition = 0, end = false }: AppendOptions,
): KeyedPosition[] | undefined {
  if (idempotencyKey === undefined) return undefined;
  const name = `${channel} ${idempotencyKey}`;
  return digestsOf(events.map(encodeRecord), end).map((digest, index) => {
    const position = firstPosition + index;
    return { name: position === 0 ? name : `${name} ${position}`, digest };
  });
}
