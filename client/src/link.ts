/**
 * The seam between the subscriptions of a page and what brings their events: a connection of the page's own
 * ({@link Connection}), or one that all tabs share. A link may bring an event twice or an old one (after a rewind); the
 * subscriptions drop by id what they have had.
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

/** What a link says. Ids and positions are ids of the channel itself, without its name. */
export interface LinkListener {
  event(channel: string, id: string, type: string, data: string): void;
  gap(channel: string, id: string, after: string | null, before: string | null): void;
  /** Everything before the position was brought. */
  ready(channel: string, position: string): void;
  end(channel: string, position: string): void;
  closing(reason: string): void;
  status(status: 'connecting' | 'live' | 'polling' | 'closed'): void;
  /** The broker refuses a channel, or with undefined all of them. The link has left them. */
  refused(
    channel: string | undefined,
    error: { code: 'unauthorized' | 'forbidden' | 'refused'; status: number; message: string },
  ): void;
}
