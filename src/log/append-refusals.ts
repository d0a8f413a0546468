import { BrokerError } from '../events/errors.ts';
import type { EventId } from '../events/event.ts';

export function channelEnded(): BrokerError {
  return new BrokerError(
    'channel-ended',
    'The channel has ended. Nothing was published. Publish to another channel, or delete this one first, which forgets its end.',
  );
}

/** @param tail the channel's tail */
export function tailMismatch(tail: EventId): BrokerError {
  return new BrokerError(
    'tail-mismatch',
    `The channel's last event is ${tail}. Nothing was published. Read what the channel got since, and try again with this id.`,
    { members: { tail } },
  );
}

export function keyReused(): BrokerError {
  return new BrokerError(
    'idempotency-key-reused',
    'The Idempotency-Key was used for another body before. Nothing was published. Use a new key for another body.',
  );
}
