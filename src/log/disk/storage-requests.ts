import type { EventId } from '../../events/event.ts';
import type { ChannelName } from '../../events/channel-name.ts';
import type { ChannelListRequest, HistoryPolicy, LatestCursor, LatestLimits } from '../event-log.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import type { Storage } from './storage.ts';

/** A question to the storage thread. Its answer is what the method of {@link Storage} with the same name returns. */
export type ReadRequest =
  | {
      readonly kind: 'read';
      readonly channel: ChannelName;
      readonly after: EventId;
      readonly limit: number;
      readonly policy: HistoryPolicy;
    }
  | { readonly kind: 'state'; readonly channel: ChannelName }
  | {
      readonly kind: 'rewind';
      readonly channel: ChannelName;
      readonly count: number;
      readonly policy: HistoryPolicy;
    }
  | {
      readonly kind: 'latest';
      readonly channel: ChannelName;
      readonly after: LatestCursor | undefined;
      readonly limits: LatestLimits;
    }
  | {
      readonly kind: 'keys';
      readonly channel: ChannelName;
      readonly positions: readonly KeyedPosition[];
    }
  | { readonly kind: 'about'; readonly channel: ChannelName; readonly policy: HistoryPolicy }
  | {
      readonly kind: 'count';
      readonly channel: ChannelName;
      readonly positions: readonly EventId[];
      readonly policy: HistoryPolicy;
    }
  | { readonly kind: 'list'; readonly request: ChannelListRequest }
  | { readonly kind: 'revocations'; readonly after: string; readonly limit: number }
  | { readonly kind: 'figures' }
  /** Follows the channel from now on. The answer is its state. */
  | { readonly kind: 'follow'; readonly channel: ChannelName }
  | { readonly kind: 'unfollow'; readonly channel: ChannelName };

/** What the storage answers to each kind of {@link ReadRequest}. */
export interface ReadAnswers {
  readonly read: ReturnType<Storage['read']>;
  readonly state: ReturnType<Storage['state']>;
  readonly rewind: ReturnType<Storage['rewind']>;
  readonly latest: ReturnType<Storage['readLatest']>;
  readonly keys: boolean;
  readonly about: ReturnType<Storage['about']>;
  readonly count: ReturnType<Storage['countAfter']>;
  readonly list: ReturnType<Storage['list']>;
  readonly revocations: ReturnType<Storage['revocations']>;
  readonly figures: ReturnType<Storage['figures']>;
  readonly follow: ReturnType<Storage['state']>;
  readonly unfollow: undefined;
}

/** Asks the storage. @throws what the method of the storage throws */
export function answerOf(storage: Storage, request: ReadRequest): ReadAnswers[keyof ReadAnswers] {
  switch (request.kind) {
    case 'read':
      return storage.read(request.channel, request.after, request.limit, request.policy);
    case 'state':
      return storage.state(request.channel);
    case 'rewind':
      return storage.rewind(request.channel, request.count, request.policy);
    case 'latest':
      return storage.readLatest(request.channel, request.after, request.limits);
    case 'keys':
      return storage.checkKeys(request.positions);
    case 'about':
      return storage.about(request.channel, request.policy);
    case 'count':
      return storage.countAfter(request.channel, request.positions, request.policy);
    case 'list':
      return storage.list(request.request);
    case 'revocations':
      return storage.revocations(request.after, request.limit);
    case 'figures':
      return storage.figures();
    case 'follow':
      storage.follow(request.channel, true);
      return storage.state(request.channel);
    case 'unfollow':
      storage.follow(request.channel, false);
      return undefined;
  }
}
