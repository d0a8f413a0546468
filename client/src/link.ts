/**
 * The seam between the subscriptions of a page and what brings their events: a connection of the page's own, or one that
 * all tabs share. A link may bring an event twice or an old one (after a rewind); the subscriptions drop by id what they
 * have had.
 */
export interface Link {
  /**
   * Follows a channel from a position, or moves it there when it is followed already. Undefined begins live: the first
   * `ready` then has the position.
   */
  follow(channel: string, after: string | undefined): void;
  unfollow(channel: string): void;
  close(): void;
}

/** Why the broker refuses something. It survives a structured clone. */
export interface Refusal {
  readonly name: 'SluiceError';
  readonly code: 'unauthorized' | 'forbidden' | 'refused';
  readonly status: number;
  readonly message: string;
}

/** What a link says. Ids and positions are ids of the channel itself, without its name. */
export interface LinkListener {
  /** @param from the position of the link before the event */
  event(channel: string, id: string, type: string, data: string, from: string | undefined): void;
  gap(channel: string, id: string, after: string | null, before: string | null): void;
  /** Everything before the position was brought. `from` as for an event. */
  ready(channel: string, position: string, from: string | undefined): void;
  end(channel: string, position: string): void;
  closing(reason: string): void;
  status(status: 'connecting' | 'live' | 'polling'): void;
  /** The broker refuses a channel, and the link has left it. */
  refused(channel: string, refusal: Refusal): void;
}

/** The subscriber's token: gets it, renews it before it expires, and replaces it when the broker refused it. */
export interface Tokens {
  /** Called when there is a new token. Without it nobody needs one now. */
  renewed: (() => void) | undefined;
  /** Returns undefined when there is no `getToken`. Rejects when it fails: ask again later. */
  get(): Promise<string | undefined>;
  /** The broker refused the token, or it has expired. Returns whether there may be another one. */
  refuse(token: string | undefined): boolean;
  close(): void;
}

/** Opens a connection of this page. */
export type OpenLink = (tokens: Tokens, listener: LinkListener) => Link;

/**
 * Opens a link that shares connections with others.
 * @param connection connections with the same text are the same
 */
export type Sharing = (connection: string, open: OpenLink, tokens: Tokens, listener: LinkListener) => Link;
