import type { Sharing } from './link.ts';

export type { Sharing };

/** An event of a channel. */
export interface SluiceEvent {
  readonly channel: string;
  /** The event's id in its channel: `<ms>-<seq>`. It is a cursor for this channel. */
  readonly id: string;
  /** The type that the publisher gave the event; `message` without one. */
  readonly event: string;
  /** The text as it was published. */
  readonly data: string;
}

/** Events may be missing: load the state of the application again. */
export interface Gap {
  readonly channel: string;
  /** The last event that was seen; null when there is none. */
  readonly after: string | null;
  /** The first event that follows; null when the next one is still to come. */
  readonly before: string | null;
}

/** Where a subscription begins when it has no position yet. Without any of these it begins live. */
export interface Start {
  /** A cursor: the id of the last event that was seen, or `earliest`. */
  readonly after?: string;
  /** The newest N kept events. */
  readonly last?: number;
  /** The events since a time: RFC 3339, or ms since 1970. */
  readonly since?: string | number;
  /** The newest event of each key. After a gap the state comes again. */
  readonly state?: boolean;
}

/** Why a connection cannot go on by itself. */
export type SluiceErrorCode =
  /** The broker refuses the token, or there is none, and `getToken` has no other. */
  | 'unauthorized'
  /** The token does not grant a channel. */
  | 'forbidden'
  /** The broker refuses the request, such as an invalid channel name or too many channels. */
  | 'refused';

export interface SubscribeOptions extends Start {
  readonly onEvent?: (event: SluiceEvent) => void;
  readonly onGap?: (gap: Gap) => void;
  /** From here on events arrive as they are published. Called after each reconnect, too. */
  readonly onReady?: (position: string) => void;
  /** The channel has ended. The subscription is closed. */
  readonly onEnd?: () => void;
  /** The subscription will get nothing more, because the broker refuses it. It is closed. */
  readonly onError?: (error: SluiceError) => void;
  /** The subscription is closed, for whatever reason. */
  readonly onClose?: () => void;
  /** Returns the last event that the application has handled, when it handles events later than `onEvent` gets them. */
  readonly handled?: () => string | undefined;
}

/** Why a subscription cannot go on. `message` is what the broker said. */
export interface SluiceError extends Error {
  readonly name: 'SluiceError';
  readonly code: SluiceErrorCode;
  /** The HTTP status of the broker's answer. */
  readonly status: number;
}

/** The subscription of a channel. */
export interface Subscription {
  readonly channel: string;
  /** The last event that was handed out; undefined before the first position is known. */
  readonly position: string | undefined;
  /** Stops the events. A `state` that has begun still comes to its end. */
  pause(): void;
  /** Goes on after the last event that was handed out. */
  resume(): void;
  close(): void;
}

/** The events of a channel, for a `for await` loop. */
export interface EventIteration extends AsyncIterable<SluiceEvent> {
  readonly channel: string;
  /** The last event that the loop got; undefined before the first position is known. */
  readonly position: string | undefined;
  close(): void;
}

/** Keeps positions for the next page. Each client needs its own. */
export interface PositionStore {
  /** A subscription begins. Returns where an earlier page was in its channel. */
  begin(subscription: Subscription, options: SubscribeOptions): string | undefined;
  /** A subscription is closed. */
  end(subscription: Subscription): void;
}

/** What the connection does now. */
export type Status =
  /** Opening, or waiting until it opens again. */
  | 'connecting'
  /** Events arrive as they are published. */
  | 'live'
  /** A stream did not get through, so events come by long polling. */
  | 'polling'
  /** Nothing to do: no subscription, or closed. */
  | 'closed';

/** Why the token is asked for. */
export type TokenReason = 'start' | 'expiring' | 'refused';

export interface ConnectOptions {
  /** A subscriber's token, or a function that gets one. It is called again before the token expires, and when the broker refused it. */
  readonly getToken?: (reason: TokenReason) => string | Promise<string>;
  /** Send cookies to a broker of another origin. */
  readonly withCredentials?: boolean;
  /** One connection for all tabs of the origin: {@link shareTabs}. */
  readonly share?: Sharing;
  /** Keeps the positions, so that a reload goes on where the page was: {@link keepPositions}. */
  readonly keep?: PositionStore;
  readonly onStatus?: (status: Status) => void;
  /** The broker is about to end the stream, and says why. The client comes back by itself. */
  readonly onClosing?: (reason: string) => void;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** A connection to a broker, for any number of channels. */
export interface SluiceClient {
  readonly status: Status;
  subscribe(channel: string, options?: SubscribeOptions): Subscription;
  close(): void;
}
