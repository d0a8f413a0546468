import type { ChannelName } from '../../src/events/channel-name.ts';
import type { WriteRequest } from '../../src/log/disk/storage.ts';

const RECORD = new Uint8Array(3);

/** Returns a request that appends so many small events to the channel. */
export function appendTo(channel: ChannelName, events = 1): WriteRequest {
  return {
    kind: 'append',
    channel,
    records: Array.from({ length: events }, () => RECORD),
    keys: undefined,
    deletes: undefined,
    policy: { size: 10, ttl: 1_000 },
    positions: undefined,
    ifLast: undefined,
    end: false,
  };
}
