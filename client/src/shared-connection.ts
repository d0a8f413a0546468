import { isNewer } from './event-id.ts';
import type { Link, LinkListener, OpenLink, Sharing, Tokens } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { Leader } from './shared-connection-leader.ts';
import type { ChannelNews, News } from './shared-connection-leader.ts';
import { SharingTab } from './shared-connection-tab.ts';

/** Tabs with another version do not understand each other, so they do not share. */
const VERSION = 1;

/** Where this tab is in a channel. */
interface Place {
  /** The newest event or position that has come; undefined for a channel that has yet to begin live. */
  seen: string | undefined;
  isReady: boolean;
  /** The leader was asked to go back to `seen`. */
  hasAsked: boolean;
}

/**
 * Makes all tabs of an origin share one connection: `connect(url, { share: shareTabs() })`.
 * @param options.group tabs share only within one group, such as the tabs of one user
 */
export function shareTabs({ group = '' }: { readonly group?: string } = {}): Sharing {
  return (connection, ...all) =>
    new SharedConnection(JSON.stringify(['sluice', VERSION, connection, group]), ...all);
}

/**
 * One connection for all tabs of an origin. A Web Lock elects the tab that has the connection, and a BroadcastChannel
 * carries what tabs want and what they get. Each tab knows its own positions: it drops what it has had, and asks for what
 * it missed. Goes on with a connection of its own where the browser allows no sharing.
 */
class SharedConnection implements Link {
  readonly #open: OpenLink;
  readonly #tokens: Tokens;
  readonly #listener: LinkListener;
  readonly #name: string;
  /** Ends the listening to the events of the page. */
  readonly #life = new AbortController();
  readonly #places = new Map<string, Place>();
  readonly #memory = { handOvers: 0 };
  /** Asked of the leader at the end of the turn. */
  #wants = new Map<string, string | undefined | false>();
  #tab: SharingTab | undefined;
  /** The page is in the back/forward cache, or frozen. */
  #isPaused = false;
  #isClosed = false;
  /** The connection of a tab that cannot share. */
  #alone: Link | undefined;

  constructor(name: string, open: OpenLink, tokens: Tokens, listener: LinkListener) {
    this.#name = name;
    this.#open = open;
    this.#tokens = tokens;
    this.#listener = listener;
    onPageEvents((event) => {
      if (event === 'pagehide' || event === 'freeze') {
        this.#isPaused = true;
        this.#leave();
        listener.status('connecting');
      } else if (this.#isPaused) {
        this.#isPaused = false;
        if (this.#places.size > 0) this.#join();
      } else if (event === 'visibilitychange') this.#tab?.ping();
    }, this.#life.signal);
  }

  follow(channel: string, after: string | undefined): void {
    if (this.#isClosed) return;
    if (this.#alone) {
      this.#alone.follow(channel, after);
      return;
    }
    const place = { seen: after, isReady: false, hasAsked: false };
    this.#places.set(channel, place);
    this.#ask(channel, place);
    this.#join();
  }

  unfollow(channel: string): void {
    this.#alone?.unfollow(channel);
    if (this.#places.delete(channel)) this.#want(channel, false);
  }

  close(): void {
    this.#isClosed = true;
    this.#life.abort();
    this.#leave();
    this.#places.clear();
    this.#alone?.close();
  }

  #join(): void {
    if (this.#tab || this.#isPaused) return;
    const listener = this.#listener;
    listener.status('connecting');
    try {
      this.#tab = new SharingTab(this.#name, {
        take: (news) => this.#take(news),
        askForAll: () => this.#askForAll(),
        connecting: () => listener.status('connecting'),
        openLeader: (options) =>
          new Leader({ ...options, tokens: this.#tokens, open: this.#open, memory: this.#memory }),
        failed: () => this.#goAlone(),
      });
    } catch {
      this.#goAlone();
    }
  }

  #leave(): void {
    this.#tab?.leave();
    this.#tab = undefined;
    this.#wants.clear();
  }

  /** Leaves, and goes on with a connection of this tab. */
  #goAlone(): void {
    this.#leave();
    this.#life.abort();
    this.#alone = this.#open(this.#tokens, this.#listener);
    for (const [channel, { seen }] of this.#places) this.#alone.follow(channel, seen);
    this.#places.clear();
  }

  #askForAll(): void {
    for (const [channel, place] of this.#places) {
      place.hasAsked = false;
      this.#ask(channel, place);
    }
    // Also without wants: the leader waits for word from all tabs.
    if (this.#tab?.send(this.#wants, true)) this.#wants = new Map();
  }

  #ask(channel: string, place: Place): void {
    if (place.hasAsked) return;
    place.hasAsked = true;
    place.isReady = false;
    this.#want(channel, place.seen);
  }

  #want(channel: string, position: string | undefined | false): void {
    if (this.#wants.size === 0) queueMicrotask(() => this.#flush());
    this.#wants.set(channel, position);
  }

  #flush(): void {
    if (this.#wants.size > 0 && this.#tab?.send(this.#wants, false)) this.#wants = new Map();
  }

  #take(news: News): void {
    if (news.kind === 'status') {
      if (news.status !== 'live' && news.status !== 'polling')
        for (const place of this.#places.values()) place.isReady = false;
      this.#listener.status(news.status);
    } else if (news.kind === 'closing') this.#listener.closing(news.reason);
    else {
      const place = this.#places.get(news.channel);
      if (place) this.#takeOf(place, news);
    }
  }

  #takeOf(place: Place, news: ChannelNews): void {
    const { channel, kind } = news;
    if (kind === 'refused') {
      // Together the tabs may ask for too much. The broker says whether this tab does.
      if (news.error.code === 'refused' && news.isCrowded) this.#goAlone();
      else {
        this.#places.delete(channel);
        this.#listener.refused(channel, news.error);
      }
      return;
    }
    const { seen } = place;
    const { from, id } = news;
    if (seen === undefined) {
      // It begins where the stream is ready.
      if (kind === 'event' || kind === 'gap') return;
    } else if (from !== seen) {
      // Also where the leader comes from before this place and has not passed it: the place may be of another log.
      const isMissing = isNewer(from ?? id, seen) || (kind !== 'gap' && isNewer(id, seen));
      // A log that ends before this place is another one.
      if (isMissing || (kind === 'ready' && isNewer(seen, id))) {
        this.#ask(channel, place);
        return;
      }
      if (kind === 'event' && !isNewer(id, seen)) return;
      // The gap of a tab that is behind this one.
      if (kind === 'gap' && (news.before === null || !isNewer(news.before, seen))) return;
    }
    place.seen = id;
    place.hasAsked = false;
    this.#announce(place, news, seen);
  }

  #announce(place: Place, news: Exclude<ChannelNews, { kind: 'refused' }>, from: string | undefined): void {
    const { channel, id } = news;
    const listener = this.#listener;
    if (news.kind === 'event') listener.event(channel, id, news.type, news.data, from);
    else if (news.kind === 'gap') {
      place.isReady = false;
      listener.gap(channel, id, news.after, news.before);
    } else if (news.kind === 'end') {
      this.#places.delete(channel);
      listener.end(channel, id);
    } else if (!place.isReady) {
      place.isReady = true;
      listener.ready(channel, id, from);
    }
  }
}
