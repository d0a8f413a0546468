import { guard, isNewer, openSubscription } from './channel-subscription.ts';
import type { ChannelSubscription } from './channel-subscription.ts';
import { openConnection } from './connection.ts';
import type { Link } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { SluiceError } from './sluice-error.ts';
import { createTokens } from './tokens.ts';
import type { ConnectOptions, SluiceClient, Status, SubscribeOptions } from './types.ts';

const CHANNEL = /^(?!\.\.?$)[\w.:~-]{1,200}$/;
/** One wrong id would be a gap in all channels. */
const ID = /^\d{1,19}-\d{1,19}$/;

interface PositionStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
}

interface Page {
  readonly location?: { readonly href: string };
  readonly sessionStorage?: PositionStorage;
}

/** Loads what tabs need for sharing only where they share. A page that cannot load it has a connection of its own. */
const openLater: typeof openConnection = (...all) => {
  const loaded = import('./shared-connection.ts').then(
    ({ shareConnection }) => shareConnection(...all),
    () => openConnection(...all),
  );
  return {
    follow: (channel, after) => void loaded.then((link) => link.follow(channel, after)),
    unfollow: (channel) => void loaded.then((link) => link.unfollow(channel)),
    close: () => void loaded.then((link) => link.close()),
  };
};

/**
 * Connects to a broker. Nothing is sent before the first subscription.
 * @param url the address of the broker, such as `https://events.example.com`; with a path when the broker has one
 */
export function connect(url: string | URL, options: ConnectOptions = {}): SluiceClient {
  const page = globalThis as Page;
  const { getToken, persist } = options;
  const address = new URL(url, page.location?.href).href.replace(/\/*$/, '/events');
  const tokens = createTokens(getToken);
  const subscriptions = new Map<string, Set<ChannelSubscription>>();
  /** What brings the starts of the subscriptions of this turn, by their parameters. */
  const starters = new Map<string, Link>();
  /** The positions that an earlier page left. */
  let kept: Record<string, string> = {};
  let linkStatus: Status = 'connecting';
  let status: Status = 'closed';
  let isClosed = false;

  const of = (channel: string): Iterable<ChannelSubscription> => subscriptions.get(channel) ?? [];
  const reportStatus = (): void => {
    const next = isClosed || subscriptions.size === 0 ? 'closed' : linkStatus;
    if (next !== status) guard(options.onStatus, (status = next));
  };

  const openLink = (start?: Readonly<Record<string, string>>): Link => {
    const each = (channel: string, run: (one: ChannelSubscription) => void): void => {
      for (const one of of(channel)) if (one.link === link) run(one);
    };
    const { share } = options;
    const open = share && !start ? openLater : openConnection;
    const link = open(
      address,
      options,
      tokens,
      {
        event: (channel, id, type, data) => each(channel, (one) => one.event(id, type, data)),
        gap: (channel, _id, after, before) =>
          each(channel, (one) => {
            if (!one.gap(after, before) || !one.options.state) return;
            detach(one);
            one.seen = undefined;
            begin(one);
          }),
        ready: (channel, position) =>
          each(channel, (one) => {
            one.ready(position);
            if (start) {
              detach(one);
              attach(one, main);
            } else guard(one.options.onReady, position);
          }),
        end: (channel) => each(channel, (one) => one.end()),
        refused(channel, error) {
          for (const name of channel ? [channel] : subscriptions.keys())
            each(name, (one) => one.end(new SluiceError(error)));
        },
        closing: (reason) => guard(options.onClosing, reason),
        status(next) {
          if (start) return;
          linkStatus = next === 'closed' ? 'connecting' : next;
          reportStatus();
        },
      },
      start,
    );
    return link;
  };

  /** Brings a subscription its start, if it has none yet, and then what follows. */
  const begin = (one: ChannelSubscription): void => {
    const { after, last, since, state } = one.options;
    const start = state
      ? { state: '' }
      : after
        ? { last_event_id: after }
        : last !== undefined
          ? { last }
          : since !== undefined && { since };
    if (one.seen || !start) return attach(one, main);
    const key = JSON.stringify(start);
    let starter = starters.get(key);
    if (!starter) {
      starters.set(key, (starter = openLink({ ...start, wait: '0s' } as unknown as Record<string, string>)));
      // Subscriptions of a later turn cannot join it: it has begun by then.
      queueMicrotask(() => starters.delete(key));
    }
    attach(one, starter);
  };

  const attach = (one: ChannelSubscription, link: Link): void => {
    const { channel } = one.handle;
    one.link = link;
    // The link goes on at the lowest position: the other subscriptions have been further already.
    let lowest: string | undefined;
    const all = [...of(channel)].filter((other) => other.link === link);
    for (const { seen } of all) if (seen && (!lowest || isNewer(lowest, seen))) lowest = seen;
    for (const other of all) other.skips = lowest !== undefined && !other.seen;
    link.follow(channel, lowest);
  };

  const detach = (one: ChannelSubscription): void => {
    const { link } = one;
    const { channel } = one.handle;
    one.link = undefined;
    if (link && ![...of(channel)].some((other) => other.link === link)) link.unfollow(channel);
  };

  const save = (): void => {
    for (const [channel, all] of subscriptions)
      for (const {
        handle,
        options: { state },
      } of all)
        if (handle.position && !state) kept[channel] = handle.position;
    if (persist) page.sessionStorage?.setItem(persist, JSON.stringify(kept));
  };

  const main = openLink();
  try {
    if (persist) kept = JSON.parse(page.sessionStorage?.getItem(persist) ?? '{}') as typeof kept;
  } catch {
    // As if there were none.
  }
  const stopPageEvents = onPageEvents((event) => {
    if (['pagehide', 'freeze', 'hidden'].includes(event)) save();
  });

  return {
    get status() {
      return status;
    },
    subscribe(channel, subscribeOptions: SubscribeOptions = {}) {
      const { after, state } = subscribeOptions;
      if (isClosed) throw new Error('closed');
      if (!CHANNEL.test(channel)) throw new TypeError(`invalid channel: ${channel}`);
      if (after && after !== 'earliest' && !ID.test(after)) throw new TypeError(`invalid id: ${after}`);
      const one: ChannelSubscription = openSubscription(channel, subscribeOptions, {
        pause() {
          // A state comes address, and is no longer than the broker allows.
          if (one.link === main || !state) detach(one);
        },
        resume: () => attach(one, main),
        closed() {
          const all = subscriptions.get(channel);
          detach(one);
          all?.delete(one);
          if (all?.size === 0) subscriptions.delete(channel);
          reportStatus();
        },
      });
      const position = (!state && kept[channel]) || (after === 'earliest' ? undefined : after);
      delete kept[channel];
      if (position) one.ready(position);
      subscriptions.set(channel, new Set([...of(channel), one]));
      begin(one);
      reportStatus();
      return one.handle;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      for (const all of subscriptions.values()) for (const { handle } of all) handle.close();
      stopPageEvents();
      main.close();
      tokens.close();
    },
  };
}
