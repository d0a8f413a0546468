import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId, StoredEvent } from '../../events/event.ts';
import type { ChannelState, LogListener } from '../event-log.ts';
import { READ_WORDS } from '../failure-words.ts';
import { failureError } from './disk-failure.ts';
import type { StorageClient } from './storage-client.ts';

/** A listener of a channel. */
interface Follower {
  readonly listener: LogListener;
  state: 'starting' | 'following' | 'interrupted';
}

/** How many states are asked for in one turn of the event loop. */
const RESUMED_AT_ONCE = 500;
/** After a failed question for the state of a channel, in ms. Varies by half. */
const RETRY_MS = 500;

/**
 * The listeners of all channels. Outcomes and answers come from the storage thread in the order in which they were true, so a state
 * and the announcements around it never cross.
 */
export class FollowedChannels {
  readonly #client: () => StorageClient;
  readonly #channels = new Map<ChannelName, Set<Follower>>();
  /** Goes through the channels after the storage thread has begun anew. */
  #resumption: Generator<void, void> | undefined;

  constructor(client: () => StorageClient) {
    this.#client = client;
  }

  isFollowed(channel: ChannelName): boolean {
    return this.#channels.has(channel);
  }

  /** Returns the function that stops. */
  follow(channel: ChannelName, listener: LogListener): () => void {
    let followers = this.#channels.get(channel);
    if (followers === undefined) this.#channels.set(channel, (followers = new Set()));
    const follower: Follower = { listener, state: 'starting' };
    followers.add(follower);
    this.#begin(channel, follower);
    return () => {
      if (!followers.delete(follower) || followers.size > 0) return;
      this.#channels.delete(channel);
      this.#client().read(UNHEARD, { kind: 'unfollow', channel });
    };
  }

  announce(channel: ChannelName, events: readonly StoredEvent[]): void {
    for (const { listener } of this.#channels.get(channel) ?? []) listener.onEvents(events);
  }

  /** A listener that does not know the channel's state yet gets a state that says it. */
  announceEnd(channel: ChannelName, tail: EventId): void {
    for (const { listener, state } of this.#channels.get(channel) ?? [])
      if (state === 'following') listener.onEnded(tail);
  }

  interrupt(): void {
    for (const followers of this.#channels.values())
      for (const follower of followers) {
        if (follower.state !== 'following') continue;
        follower.state = 'interrupted';
        follower.listener.onInterrupted();
      }
  }

  /** Asks for the states of all channels, some in each turn of the event loop. */
  resume(): void {
    this.#resumption?.return();
    this.#resumption = this.#beginAll();
    this.#resumption.next();
  }

  *#beginAll(): Generator<void, void> {
    // Whoever comes from here on begins by itself.
    const all = [...this.#channels].flatMap(([channel, followers]) =>
      [...followers].map((follower) => ({ channel, follower })),
    );
    for (const [index, { channel, follower }] of all.entries()) {
      if (index % RESUMED_AT_ONCE === RESUMED_AT_ONCE - 1) {
        const resumption = this.#resumption;
        setImmediate(() => void resumption?.next());
        yield;
      }
      if (this.#channels.get(channel)?.has(follower) === true) this.#begin(channel, follower);
    }
  }

  #begin(channel: ChannelName, follower: Follower): void {
    const isGone = (): boolean => this.#channels.get(channel)?.has(follower) !== true;
    this.#client().read(
      {
        answered: (state) => {
          if (!isGone()) begin(follower, state as ChannelState);
        },
        failed: (error) => {
          if (isGone()) return;
          follower.listener.onTrouble?.(error instanceof Error ? error : failureError(error, READ_WORDS));
          setTimeout(
            () => {
              if (!isGone() && follower.state !== 'following') this.#begin(channel, follower);
            },
            RETRY_MS * (0.5 + Math.random()),
          ).unref();
        },
      },
      { kind: 'follow', channel },
    );
  }
}

/** Nobody waits for the answer. */
const UNHEARD = { answered: () => undefined, failed: () => undefined };

function begin(follower: Follower, state: ChannelState): void {
  const before = follower.state;
  follower.state = 'following';
  if (before === 'starting') follower.listener.onFollowing(state);
  else if (before === 'interrupted') follower.listener.onResumed(state);
}
