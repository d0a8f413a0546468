import { expect } from 'vitest';
import type { Broker } from './broker.ts';
import { openStream } from './sse-reader.ts';

export interface WatchedChannel {
  /** Publishes one last event, and checks that no other event was delivered since the watch began. */
  nothingCame(): Promise<void>;
}

/** Subscribes to a channel, before an action that must not deliver anything there. */
export async function watchChannel(broker: Broker, channel: string): Promise<WatchedChannel> {
  const stream = await openStream(`${broker.url}/events/${channel}`);
  await stream.until('sluice:ready');
  return {
    async nothingCame() {
      const id = await broker.publish(channel, 'the last');
      expect(await stream.next()).toEqual({ id, event: undefined, data: 'the last' });
      stream.close();
    },
  };
}
