import { Connection } from './connection.ts';
import type { Access } from './connection.ts';
import type { Link, LinkListener } from './link.ts';
import { onPageEvents } from './page-events.ts';
import { Leader } from './shared-connection-leader.ts';
import type { ChannelNews, Locks, News, Refusal, Wants } from './shared-connection-leader.ts';
import { compareIds } from './subscription.ts';

/** Tabs with another version do not understand each other, so they do not share. */
const VERSION = 1;
/** How long a new leader waits for the positions of the other tabs, in ms. */
const COLLECT_MS = 30;
/** After so much silence of the leader a tab asks whether it is still there: between once and twice this, in ms. */
const SILENCE_MS = 4_000;
/** How long the answer may take, in ms. Then the tab takes the leadership. */
const ANSWER_MS = 4_000;

/** What the tabs say to each other. */
type Message =
  /** Says who leads: when it begins, and when asked. */
  | { readonly kind: 'leader'; readonly tab: string }
  | { readonly kind: 'ping' }
  | { readonly kind: 'wants'; readonly tab: string; readonly wants: Wants }
  /** From the leader, to one tab or all. */
  | { readonly kind: 'news'; readonly tab: string | undefined; readonly news: readonly News[] };

/** Where this tab is in a channel. */
interface Place {
  /** The newest event or position that has come; undefined for a channel that has yet to begin live. */
  seen: string | undefined;
  isReady: boolean;
  /** The leader was asked to go back to `seen`. */
  hasAsked: boolean;
}

/** This tab's part in the sharing: from joining until it leaves. */
interface Membership {
  readonly tab: string;
  readonly bus: Bus;
  readonly locks: Locks;
  readonly left: AbortController;
  /** Whether this tab holds its own lock. The leader may hear of it then. */
  isPresent: boolean;
  /** Set while this tab leads. */
  leader: Leader | undefined;
  /** Ends the leadership. */
  stepDown: () => void;
  /** Ends the waiting in the queue for the leadership, to take it by force. */
  usurp: () => void;
  /** Who led at last. */
  leaderTab: string | undefined;
}

interface Bus {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

interface Browser {
  readonly navigator?: { readonly locks?: Locks };
  readonly BroadcastChannel?: new (name: string) => Bus;
}

/**
 * One connection for all tabs of an origin. A Web Lock elects the tab that has the connection, and a BroadcastChannel
 * carries what tabs want and what they get. Each tab knows its own positions: it drops what it has had, and asks for what
 * it missed. Goes on with a connection of its own where the browser allows no sharing.
 */
export class SharedConnection implements Link {
  readonly #access: Access;
  readonly #listener: LinkListener;
  readonly #name: string;
  readonly #stopPageEvents: () => void;
  readonly #places = new Map<string, Place>();
  /** Asked of the leader at the end of the turn. */
  #wants = new Map<string, string | undefined | false>();
  #membership: Membership | undefined;
  /** The page is in the back/forward cache, or frozen. */
  #isPaused = false;
  #isClosed = false;
  /** The connection of a tab that cannot share. */
  #alone: Connection | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  /** The leader was asked whether it is there. */
  #isAsking = false;
  /** When the leader was heard last, in ms since 1970. */
  #heard = 0;

  /** @param group only tabs of one group share */
  constructor(access: Access, listener: LinkListener, group: string) {
    this.#access = access;
    this.#listener = listener;
    this.#name = `sluice/${VERSION} ${access.url.href} ${Number(access.withCredentials ?? false)} ${group}`;
    this.#stopPageEvents = onPageEvents((event) => {
      if (event === 'pagehide' || event === 'freeze') {
        this.#isPaused = true;
        this.#leave();
        if (this.#places.size > 0) listener.status('connecting');
      } else if ((event === 'pageshow' || event === 'resume') && this.#isPaused) {
        this.#isPaused = false;
        if (this.#places.size > 0) this.#join();
      } else if (event === 'visible') this.#ping();
    });
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
    this.#stopPageEvents();
    this.#leave();
    this.#places.clear();
    this.#alone?.close();
  }

  #join(): void {
    if (this.#membership || this.#isPaused) return;
    this.#listener.status('connecting');
    const { navigator, BroadcastChannel } = globalThis as Browser;
    try {
      if (!navigator?.locks || !BroadcastChannel) throw new Error('This browser cannot share.');
      const membership: Membership = {
        tab: Math.random().toString(36).slice(2),
        bus: new BroadcastChannel(this.#name),
        locks: navigator.locks,
        left: new AbortController(),
        isPresent: false,
        leader: undefined,
        stepDown: () => undefined,
        usurp: () => undefined,
        leaderTab: undefined,
      };
      this.#membership = membership;
      membership.bus.onmessage = ({ data }) => this.#hear(membership, data as Message);
      this.#takePart(membership).catch(() => this.#goAlone(membership));
    } catch {
      this.#goAlone(this.#membership);
    }
  }

  #leave(): void {
    const membership = this.#membership;
    this.#membership = undefined;
    clearTimeout(this.#watch);
    this.#wants.clear();
    if (!membership) return;
    membership.leader?.close();
    membership.bus.close();
    membership.left.abort();
  }

  /** Leaves, and goes on with a connection of this tab. */
  #goAlone(membership: Membership | undefined): void {
    if (this.#membership !== membership || this.#isClosed) return;
    this.#leave();
    this.#stopPageEvents();
    this.#alone = new Connection(this.#access, this.#listener);
    for (const [channel, { seen }] of this.#places) this.#alone.follow(channel, seen);
    this.#places.clear();
  }

  /** Holds the lock of this tab until it leaves, and queues for the leadership. Rejects where locks are refused. */
  async #takePart(membership: Membership): Promise<void> {
    const { locks, left } = membership;
    await locks.request(this.#lockOf(membership.tab), { signal: left.signal }, () => {
      membership.isPresent = true;
      const elected = this.#queue(membership);
      this.#askForAll();
      this.#heard = Date.now();
      this.#watchLeader(SILENCE_MS);
      return elected;
    });
  }

  /** Leads whenever it is this tab's turn. Resolves when the tab leaves. */
  async #queue(membership: Membership): Promise<void> {
    const { locks, left } = membership;
    let mode: 'ask' | 'wait' | 'steal' = 'ask';
    while (!left.signal.aborted) {
      const waiting = new AbortController();
      const { signal } = waiting;
      const usurp = mode === 'wait' ? waiting : undefined;
      membership.usurp = () => usurp?.abort('usurp');
      const end = (): void => waiting.abort();
      left.signal.addEventListener('abort', end);
      const collectMs = mode === 'ask' ? 0 : COLLECT_MS;
      const options =
        mode === 'ask' ? { ifAvailable: true } : mode === 'steal' ? { steal: true } : { signal };
      mode = 'wait';
      try {
        await locks.request(
          this.#lockOf('leader'),
          options as Parameters<Locks['request']>[1],
          async (lock) => {
            membership.usurp = () => undefined;
            if (lock && !left.signal.aborted) await this.#lead(membership, collectMs);
          },
        );
      } catch (error) {
        if (signal.reason === 'usurp') mode = 'steal';
        // Another tab took the leadership, because this one did not answer.
        else if (!left.signal.aborted && (error as Error).name !== 'AbortError') throw error;
      } finally {
        left.signal.removeEventListener('abort', end);
      }
      if (membership.leader) this.#endLead(membership);
    }
  }

  /** Resolves when the leadership ends. */
  async #lead(membership: Membership, collectMs: number): Promise<void> {
    const { tab, bus, locks, left } = membership;
    const post = (message: Message): void => bus.postMessage(message);
    const ended = new Promise<void>((resolve) => {
      membership.stepDown = resolve;
      left.signal.addEventListener('abort', () => resolve());
    });
    const leader = new Leader({
      access: this.#access,
      locks,
      lockOf: (other) => this.#lockOf(other),
      own: tab,
      collectMs,
      take: (news) => membership.leader === leader && this.#take(news),
      send: (news, to) => post({ kind: 'news', tab: to, news }),
      failed: (error) => this.#fail(membership, error),
    });
    membership.leader = leader;
    membership.leaderTab = tab;
    this.#askForAll();
    post({ kind: 'leader', tab });
    await ended;
  }

  #endLead(membership: Membership): void {
    membership.stepDown();
    membership.leader?.close();
    membership.leader = undefined;
    membership.leaderTab = undefined;
    if (membership.left.signal.aborted) return;
    this.#listener.status('connecting');
    this.#askForAll();
    this.#heard = Date.now();
    this.#watchLeader(SILENCE_MS);
  }

  /** This tab cannot lead. Without an error another tab tries, and this one goes on as its follower. */
  #fail(membership: Membership, error?: Refusal): void {
    if (!error) {
      membership.stepDown();
      return;
    }
    this.#leave();
    this.#places.clear();
    this.#listener.refused(undefined, error);
  }

  #hear(membership: Membership, message: Message): void {
    const { leader, tab } = membership;
    if (message.kind === 'wants') leader?.want(message.tab, message.wants);
    else if (message.kind === 'ping') {
      if (leader) membership.bus.postMessage({ kind: 'leader', tab });
      // One tab that asks is enough.
      else if (!this.#isAsking) this.#watchLeader(SILENCE_MS + Math.random() * SILENCE_MS);
    } else if (!leader) {
      this.#heard = Date.now();
      if (message.kind === 'leader') {
        if (message.tab === membership.leaderTab) return;
        membership.leaderTab = message.tab;
        this.#listener.status('connecting');
        this.#askForAll();
      } else if (message.tab === undefined || message.tab === tab)
        for (const news of message.news) this.#take(news);
    }
  }

  /** Notices a leader that hangs. Browsers free the locks of a tab that was closed or has crashed. */
  #watchLeader(ms: number): void {
    this.#isAsking = false;
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      const rest = this.#heard + SILENCE_MS - Date.now();
      if (rest > 0) this.#watchLeader(rest + Math.random() * SILENCE_MS);
      else this.#ping();
    }, ms);
  }

  #ping(): void {
    const membership = this.#membership;
    if (!membership?.isPresent || membership.leader) return;
    const asked = Date.now();
    this.#isAsking = true;
    membership.bus.postMessage({ kind: 'ping' });
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      if (this.#heard >= asked) this.#watchLeader(SILENCE_MS);
      // This tab slept itself: the answer may be waiting.
      else if (Date.now() > asked + 2 * ANSWER_MS) this.#ping();
      else {
        membership.usurp();
        this.#watchLeader(2 * SILENCE_MS);
      }
    }, ANSWER_MS);
  }

  #lockOf(tab: string): string {
    return `${this.#name} ${tab}`;
  }

  #askForAll(): void {
    for (const [channel, place] of this.#places) {
      place.hasAsked = false;
      this.#ask(channel, place);
    }
    this.#flush();
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
    const membership = this.#membership;
    // They stay until this tab takes part. It then asks for all.
    if (!membership?.isPresent || this.#wants.size === 0) return;
    const { leader, tab, bus } = membership;
    const wants = this.#wants;
    this.#wants = new Map();
    if (leader) leader.want(tab, wants);
    else bus.postMessage({ kind: 'wants', tab, wants });
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
    const { channel } = news;
    if (news.kind === 'refused') {
      // Together the tabs may ask for too much. The broker says whether this tab does.
      if (news.error.code === 'refused' && news.crowded) this.#goAlone(this.#membership);
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
      if (news.kind === 'event' || news.kind === 'gap') return;
    } else if (from !== seen) {
      const missesSome = compareIds(from ?? id, seen) > 0;
      // A log that ends before this place is another one.
      if (missesSome || (news.kind === 'ready' && compareIds(id, seen) < 0)) {
        this.#ask(channel, place);
        return;
      }
      if (news.kind === 'event' && compareIds(id, seen) <= 0) return;
      // The gap of a tab that is behind this one.
      if (news.kind === 'gap' && (news.before === null || compareIds(seen, news.before) >= 0)) return;
    }
    place.seen = id;
    place.hasAsked = false;
    this.#announce(place, news);
  }

  #announce(place: Place, news: Exclude<ChannelNews, { kind: 'refused' }>): void {
    const { channel, id } = news;
    const listener = this.#listener;
    if (news.kind === 'event') listener.event(channel, id, news.type, news.data);
    else if (news.kind === 'gap') {
      place.isReady = false;
      listener.gap(channel, id, news.after, news.before);
    } else if (news.kind === 'end') {
      this.#places.delete(channel);
      listener.end(channel, id);
    } else if (!place.isReady) {
      place.isReady = true;
      listener.ready(channel, id);
    }
  }
}
