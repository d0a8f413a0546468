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
  readonly onError?: (error: SluiceErrorLike) => void;
}

export interface SluiceErrorLike extends Error {
  readonly code: SluiceErrorCode;
  /** The HTTP status. */
  readonly status: number;
}

/** The subscription of a channel. It is also an async iterable of its events (with a bounded queue). */
export interface Subscription extends AsyncIterable<SluiceEvent> {
  readonly channel: string;
  /** The last event that was handed out; undefined before the first position is known. */
  readonly position: string | undefined;
  close(): void;
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
  /** One connection for all tabs of the origin. A string separates groups, such as users: tabs share only within one. */
  readonly share?: boolean | string;
  /** Keep the positions in sessionStorage under this name, so that a reload goes on where the page was. */
  readonly persist?: string;
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
