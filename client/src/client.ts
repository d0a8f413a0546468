import { openConnection } from './connection.ts';
import { NEVER, isNewer } from './event-id.ts';
import type { Link, LinkListener, OpenLink } from './link.ts';
import { createTokens } from './tokens.ts';
import type { ConnectOptions, SluiceClient, Start, Status, SubscribeOptions, Subscription } from './types.ts';

interface Page {
  readonly location?: { readonly href: string };
}

/** The inside of a subscription. */
interface Followed extends Subscription {
  position: string | undefined;
  /** What brings its events; undefined while it is paused. */
  link?: Link | undefined;
  /** Only events that are newer are handed out: the others have come before. */
  floor: string;
  isPaused?: boolean;
  readonly options: SubscribeOptions;
}

/** Calls a callback of the application. Reports what the callback throws, and goes on. */
export function guard<T extends unknown[]>(
  callback: ((...values: T) => void) | undefined,
  ...values: T
): void {
  try {
    callback?.(...values);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Returns the parameter that asks for a start, or an empty string for a live one. */
function startParameter(channel: string, { after, last, since, state }: Start): string {
  if (state) return 'state=';
  // This name of the cursor yields to the one that a connection sends. One that cannot be read is a gap of this channel.
  if (after) return `lastEventId=${encodeURIComponent(after === 'earliest' ? after : `${channel}@${after}`)}`;
  if (last !== undefined) return `last=${last}`;
  return since === undefined ? '' : `since=${encodeURIComponent(since)}`;
}

/**
 * Connects to a broker. Nothing is sent before the first subscription.
 * @param url the address of the broker, such as `https://events.example.com`; with a path when the broker has one
 */
export function connect(url: string | URL, options: ConnectOptions = {}): SluiceClient {
  const { share, keep, withCredentials } = options;
  const address = new URL(url, (globalThis as Page).location?.href).href.replace(/\/*$/, '/events');
  const tokens = createTokens(options.getToken);
  // Is replaced and never changed, so callbacks may subscribe and close. Some hundred channels need no index.
  let subscriptions: readonly Followed[] = [];
  /** The main link, which has no start, and those that bring the starts of the subscriptions of this turn. */
  const links = new Map<string, Link>();
  let linkStatus: Status = 'connecting';
  let status: Status = 'closed';
  let isClosed = false;

  /** Runs something for each subscription of a channel that a link feeds. */
  const each = (link: Link, channel: string, run: (one: Followed) => void): void => {
    for (const one of subscriptions) if (one.link === link && one.channel === channel) run(one);
  };
  const reportStatus = (): void => {
    const next = subscriptions.length ? linkStatus : 'closed';
    if (next !== status) guard(options.onStatus, (status = next));
  };

  const openLink = (start: string): Link => {
    const open: OpenLink = (...all) => openConnection(address, options, ...all, start);
    const listener: LinkListener = {
      event: (channel, id, event, data, from) =>
        each(link, channel, (one) => {
          if (!isNewer(id, one.floor) || goesBack(one, from)) return;
          one.floor = one.position = id;
          guard(one.options.onEvent, { channel, id, event, data });
        }),
      gap: (channel, _id, after, before) =>
        each(link, channel, (one) => {
          // Another subscription may have a gap that this one has not.
          if (after !== one.position && !isNewer(before ?? NEVER, one.floor)) return;
          // The log may have begun anew: the next event may have any id.
          one.floor = '';
          guard(one.options.onGap, { channel, after, before });
          if (!one.options.state) return;
          one.position = undefined;
          attach(one);
        }),
      ready: (channel, position, from) =>
        each(link, channel, (one) => {
          if (goesBack(one, from)) return;
          one.floor = one.position = position;
          if (start) attach(one);
          else guard(one.options.onReady, position);
        }),
      end: (channel) =>
        each(link, channel, (one) => {
          one.close();
          guard(one.options.onEnd);
        }),
      refused: (channel, refusal) =>
        each(link, channel, (one) => {
          one.close();
          guard(one.options.onError, Object.assign(new Error(refusal.message), refusal));
        }),
      closing: (reason) => guard(options.onClosing, reason),
      status(next) {
        if (!start) linkStatus = next;
        reportStatus();
      },
    };
    const link = start
      ? // Nobody renews a token for a start, which is short.
        open({ ...tokens }, listener)
      : share
        ? share(`${address} ${withCredentials}`, open, tokens, listener)
        : open(tokens, listener);
    return link;
  };

  /** Lets another link bring a subscription its start, if it has none yet, or else what follows. */
  const attach = (one: Followed): void => {
    detach(one);
    if (one.isPaused || !subscriptions.includes(one)) return;
    const { channel } = one;
    const start = one.position ? '' : startParameter(channel, one.options);
    let link = links.get(start);
    if (!link) {
      links.set(start, (link = openLink(start)));
      // Subscriptions of a later turn cannot join a start: it has begun by then.
      if (start) queueMicrotask(() => links.delete(start));
    }
    one.link = link;
    // A subscription that begins live waits for `ready`: the link may bring events of the past for another one.
    one.floor = one.position ?? (start ? '' : NEVER);
    // The link goes on at the lowest position: the other subscriptions have been further already.
    let lowest = one.position;
    each(link, channel, ({ position }) => {
      if (position && (!lowest || isNewer(lowest, position))) lowest = position;
    });
    link.follow(channel, lowest);
  };

  /**
   * Lets the link go back to the position of a subscription, if it has not passed it: the position is of another log, and
   * the broker then reports the gap. After a gap the link may come from anywhere.
   */
  const goesBack = (one: Followed, from: string | undefined): boolean => {
    if (!one.position || !one.floor || one.position === from) return false;
    attach(one);
    return true;
  };

  const detach = (one: Followed): void => {
    const { link, channel } = one;
    one.link = undefined;
    if (!subscriptions.some((other) => other.link === link && other.channel === channel))
      link?.unfollow(channel);
  };

  return {
    get status() {
      return status;
    },
    subscribe(channel, subscribeOptions = {}) {
      const { state } = subscribeOptions;
      if (isClosed) throw new Error('closed');
      const one: Followed = {
        channel,
        options: subscribeOptions,
        position: undefined,
        floor: '',
        pause() {
          one.isPaused = true;
          // A state comes whole: it has no place in its middle to go on from.
          if (!state || one.link === links.get('')) detach(one);
        },
        resume() {
          one.isPaused = false;
          if (!one.link) attach(one);
        },
        close() {
          if (!subscriptions.includes(one)) return;
          subscriptions = subscriptions.filter((other) => other !== one);
          keep?.end(one);
          detach(one);
          reportStatus();
          guard(subscribeOptions.onClose);
        },
      };
      one.position = keep?.begin(one, subscribeOptions);
      subscriptions = [...subscriptions, one];
      attach(one);
      reportStatus();
      return one;
    },
    close() {
      isClosed = true;
      for (const one of subscriptions) one.close();
      links.get('')?.close();
      tokens.close();
    },
  };
}
