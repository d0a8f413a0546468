import { Connection } from './connection.ts';
import type { Access } from './connection.ts';
import type { Link, LinkListener } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { SluiceError } from './sluice-error.ts';
import { ChannelSubscription, ID, compareIds, guard } from './subscription.ts';
import { Tokens } from './tokens.ts';
import type { ConnectOptions, SluiceClient, Status, SubscribeOptions, Subscription } from './types.ts';

/** How many positions are kept over a reload. */
const MAX_KEPT = 1_000;

/**
 * Connects to a broker. Nothing is sent before the first subscription.
 * @param url the address of the broker, such as `https://events.example.com`; with a path when the broker has one
 */
export function connect(url: string | URL, options: ConnectOptions = {}): SluiceClient {
  return new Client(url, options);
}

class Client implements SluiceClient {
  status: Status = 'closed';
  readonly #options: ConnectOptions;
  readonly #access: Access;
  readonly #subscriptions = new Map<string, Set<ChannelSubscription>>();
  /** Brings what follows on a position. */
  readonly #main: Link;
  /** What brings the starts of the subscriptions of this turn, by their parameters. */
  readonly #starters = new Map<string, Link>();
  /** The positions that an earlier page left. */
  readonly #kept: Map<string, string>;
  readonly #stopPageEvents: () => void;
  #linkStatus: Status = 'connecting';
  #isClosed = false;

  constructor(url: string | URL, options: ConnectOptions) {
    this.#options = options;
    const address = new URL(url, (globalThis as { location?: { href: string } }).location?.href);
    address.pathname = address.pathname.replace(/\/*$/, '/events');
    this.#access = { ...options, url: address, tokens: new Tokens(options.getToken) };
    this.#main = this.#open();
    this.#kept = this.#load();
    this.#stopPageEvents = onPageEvents((event) => {
      if (['pagehide', 'freeze', 'hidden'].includes(event)) this.#save();
    });
  }

  subscribe(channel: string, options: SubscribeOptions = {}): Subscription {
    if (this.#isClosed) throw new Error('The client is closed.');
    if (!/^[\w.:~-]{1,200}$/.test(channel) || /^\.\.?$/.test(channel))
      throw new TypeError(`${channel} is no name of a channel.`);
    const { after } = options;
    if (after !== undefined && after !== 'earliest' && !ID.test(after))
      throw new TypeError(`${after} is no id of an event.`);
    const subscription = new ChannelSubscription(channel, options, {
      detach: () => this.#detach(subscription),
      resume: () => this.#attach(subscription, this.#main),
      closed: () => this.#remove(subscription),
    });
    let all = this.#subscriptions.get(channel);
    if (all === undefined) this.#subscriptions.set(channel, (all = new Set()));
    all.add(subscription);
    const kept = options.state ? undefined : this.#kept.get(channel);
    this.#kept.delete(channel);
    const position = kept ?? (after === 'earliest' ? undefined : after);
    if (position !== undefined) subscription.goTo(position);
    this.#begin(subscription);
    this.#reportStatus();
    return subscription;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#save();
    this.#isClosed = true;
    for (const all of this.#subscriptions.values()) for (const subscription of all) subscription.close();
    this.#stopPageEvents();
    this.#main.close();
    this.#access.tokens.close();
  }

  /** Brings a subscription its start, if it has none yet, and then what follows. */
  #begin(subscription: ChannelSubscription): void {
    const start = subscription.seen === undefined ? startOf(subscription.options) : undefined;
    if (start === undefined) {
      this.#attach(subscription, this.#main);
      return;
    }
    const key = JSON.stringify(start);
    let starter = this.#starters.get(key);
    if (starter === undefined) {
      this.#starters.set(key, (starter = this.#open(start)));
      // Subscriptions of a later turn cannot join it: it has begun by then.
      queueMicrotask(() => this.#starters.delete(key));
    }
    this.#attach(subscription, starter);
  }

  #open(start?: Readonly<Record<string, string>>): Link {
    const each = (channel: string, run: (subscription: ChannelSubscription) => void): void => {
      for (const one of this.#subscriptions.get(channel) ?? []) if (one.link === link) run(one);
    };
    const listener: LinkListener = {
      event: (channel, id, type, data) => each(channel, (one) => one.take(id, type, data)),
      gap: (channel, _id, after, before) =>
        each(channel, (one) => {
          if (!one.gap(after, before) || !one.options.state) return;
          this.#detach(one);
          one.seen = undefined;
          this.#begin(one);
        }),
      ready: (channel, position) =>
        each(channel, (one) => {
          if (!start) one.becomeReady(position);
          else {
            one.goTo(position);
            this.#detach(one);
            this.#attach(one, this.#main);
          }
        }),
      end: (channel) => each(channel, (one) => one.finish()),
      refused: (channel, error) => {
        for (const name of channel === undefined ? this.#subscriptions.keys() : [channel])
          each(name, (one) => one.finish(new SluiceError(error)));
      },
      closing: (reason) => guard(this.#options.onClosing, reason),
      status: (status) => {
        if (start) {
          if (status === 'closed') link.close();
          return;
        }
        if (status !== 'live' && status !== 'polling')
          for (const name of this.#subscriptions.keys()) each(name, (one) => (one.isReady = false));
        this.#linkStatus = status === 'closed' ? 'connecting' : status;
        this.#reportStatus();
      },
    };
    const { share } = this.#options;
    const link: Link =
      start || !share
        ? new Connection(this.#access, listener, start)
        : shareConnection(this.#access, listener, share === true ? '' : share);
    return link;
  }

  #attach(subscription: ChannelSubscription, link: Link): void {
    const { channel, seen } = subscription;
    const others = [...(this.#subscriptions.get(channel) ?? [])].filter((one) => one.link === link);
    subscription.link = link;
    // The link is at the lowest position of its subscriptions: the others have been further already.
    let place: string | undefined;
    for (const { seen: theirs } of others)
      if (theirs !== undefined && (place === undefined || compareIds(theirs, place) < 0)) place = theirs;
    const isReady = others.some((one) => one.isReady);
    if (others.length === 0) link.follow(channel, seen);
    else if (seen !== undefined && (place === undefined || compareIds(place, seen) > 0)) {
      for (const other of others) other.skips ||= other.seen === undefined;
      link.follow(channel, seen);
    } else if (isReady && place !== undefined) {
      const position = seen ?? place;
      subscription.goTo(position);
      queueMicrotask(() => subscription.link === link && subscription.becomeReady(position));
    } else subscription.skips = seen === undefined && place !== undefined;
  }

  #detach(subscription: ChannelSubscription): void {
    const { channel, link } = subscription;
    subscription.link = undefined;
    subscription.isReady = subscription.skips = false;
    const others = this.#subscriptions.get(channel) ?? [];
    if (link && ![...others].some((one) => one.link === link)) link.unfollow(channel);
  }

  #remove(subscription: ChannelSubscription): void {
    const { channel } = subscription;
    const all = this.#subscriptions.get(channel);
    this.#detach(subscription);
    all?.delete(subscription);
    if (all?.size === 0) this.#subscriptions.delete(channel);
    this.#reportStatus();
  }

  #reportStatus(): void {
    const status = this.#isClosed || this.#subscriptions.size === 0 ? 'closed' : this.#linkStatus;
    if (status === this.status) return;
    this.status = status;
    guard(this.#options.onStatus, status);
  }

  /** Reads the positions that an earlier page left, where the browser allows it. */
  #load(): Map<string, string> {
    try {
      const { persist } = this.#options;
      const text = (persist && storage()?.getItem(persist)) || '{}';
      const entries = Object.entries(JSON.parse(text) as Record<string, string>);
      return new Map(entries.filter(([, position]) => ID.test(position)));
    } catch {
      return new Map();
    }
  }

  #save(): void {
    const { persist } = this.#options;
    if (!persist) return;
    const positions = new Map(this.#kept);
    for (const [channel, all] of this.#subscriptions)
      for (const { position, options } of all)
        if (position !== undefined && !options.state) positions.set(channel, position);
    try {
      storage()?.setItem(persist, JSON.stringify(Object.fromEntries([...positions].slice(-MAX_KEPT))));
    } catch {
      // The storage is full or forbidden: the next page begins live.
    }
  }
}

/** Loads what tabs share by only for a page that shares. Where that fails, the page has a connection of its own. */
function shareConnection(access: Access, listener: LinkListener, group: string): Link {
  const loaded: Promise<Link> = import('./shared-connection.ts').then(
    ({ SharedConnection }) => new SharedConnection(access, listener, group),
    () => new Connection(access, listener),
  );
  const run = (call: (link: Link) => void): void => void loaded.then(call);
  return {
    follow: (channel, after) => run((link) => link.follow(channel, after)),
    unfollow: (channel) => run((link) => link.unfollow(channel)),
    close: () => run((link) => link.close()),
  };
}

interface PositionStorage {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
}

function storage(): PositionStorage | undefined {
  return (globalThis as { sessionStorage?: PositionStorage }).sessionStorage;
}

/** The parameters of a stream that ends with the start; undefined for a start that is a position, or live. */
function startOf({ after, last, since, state }: SubscribeOptions): Record<string, string> | undefined {
  if (state) return { state: '', wait: '0s' };
  if (after !== undefined) return { last_event_id: after, wait: '0s' };
  if (last !== undefined) return { last: String(last), wait: '0s' };
  return since === undefined ? undefined : { since: String(since), wait: '0s' };
}
