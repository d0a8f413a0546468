import { isNewer } from './event-id.ts';
import type { Link, LinkListener, OpenLink, Refusal, Tokens } from './link.ts';

/** What the leader tells the tabs about a channel. `from` is where the leader was before: a tab sees by it what it missed. */
export type ChannelNews =
  | { kind: 'event'; channel: string; from: string | undefined; id: string; type: string; data: string }
  | {
      kind: 'gap';
      channel: string;
      from: string | undefined;
      id: string;
      after: string | null;
      before: string | null;
    }
  | { kind: 'ready' | 'end'; channel: string; from: string | undefined; id: string }
  | { kind: 'refused'; channel: string; error: Refusal; isCrowded: boolean };

export type News =
  | ChannelNews
  | { kind: 'status'; status: Parameters<LinkListener['status']>[0] }
  | { kind: 'closing'; reason: string };

/** What a tab asks of the leader: follow the channel from a position, follow it live (undefined), or drop it (false). */
export type Wants = ReadonlyMap<string, string | undefined | false>;

/** The part of the browser's `LockManager` that is used. */
export interface Locks {
  request(
    name: string,
    options: { readonly ifAvailable?: true; readonly steal?: true; readonly signal?: AbortSignal },
    granted: (lock: unknown) => unknown,
  ): Promise<unknown>;
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] }>;
}

interface LeaderMemory {
  /** How often this tab has handed over since its last token. */
  handOvers: number;
}

export interface LeaderOptions {
  readonly open: OpenLink;
  readonly tokens: Tokens;
  readonly locks: Locks;
  /** The lock that a tab holds for as long as it takes part. */
  readonly lockOf: (tab: string) => string;
  /** The leader's own tab. */
  readonly own: string;
  /** How many other tabs there are. The stream opens when they have said what they want. */
  readonly others: Promise<number> | undefined;
  /** Takes news in the leader's own tab. */
  readonly take: (news: News) => void;
  /** Sends news to one tab, or to all others. */
  readonly send: (news: readonly News[], tab?: string) => void;
  /** Called when `getToken` has failed, and another tab may have a token. */
  readonly handOver: () => void;
  /** What this tab's leaders know of each other. */
  readonly memory: LeaderMemory;
}

interface Followed {
  at: string | undefined;
  isReady: boolean;
  readonly tabs: Set<string>;
}

/** How long a new leader waits at most for the wants of the other tabs, in ms. One of them may hang. */
const COLLECT_MS = 1_000;
/** How long a leader whose `getToken` failed tries on before another tab may try, in ms. Doubles each time. */
const HAND_OVER_MS = 1_000;
const MAX_HAND_OVER_MS = 32_000;

/** The tab that has the connection. It follows what any tab wants, from the lowest position of them. */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #connection: Link;
  readonly #followed = new Map<string, Followed>();
  /** The other tabs. */
  readonly #others = new Set<string>();
  /** Ends the waiting for the tabs' locks. */
  readonly #closing = new AbortController();
  #status: Parameters<LinkListener['status']>[0] = 'connecting';
  #collecting: ReturnType<typeof setTimeout> | undefined;
  /** How many other tabs will say what they want. */
  #expected = Number.POSITIVE_INFINITY;
  #handOver: ReturnType<typeof setTimeout> | undefined;
  /** Goes to the other tabs in one message at the end of the turn. */
  #unsent: News[] = [];

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#connection = options.open(this.#watchTokens(options.tokens), this.#listen());
    if (!options.others) return;
    this.#collecting = setTimeout(() => this.#begin(), COLLECT_MS);
    const expect = (count: number): void => {
      this.#expected = count;
      this.#beginIfComplete();
    };
    options.others.then(expect, () => expect(0));
  }

  /** @param isAll whether these are all wants of the tab. It may not know the status */
  want(tab: string, wants: Wants, isAll: boolean): void {
    if (this.#closing.signal.aborted) return;
    const replies: News[] = [];
    if (tab !== this.#options.own) {
      const isNew = !this.#others.has(tab);
      if (isNew) {
        this.#others.add(tab);
        this.#awaitEnd(tab);
      }
      if (isNew || isAll) replies.push({ kind: 'status', status: this.#status });
    }
    for (const [channel, position] of wants) {
      if (position === false) this.#drop(tab, channel);
      else if (this.#follow(tab, channel, position)) {
        const id = this.#followed.get(channel)?.at ?? '';
        replies.push({ kind: 'ready', channel, from: id, id });
      }
    }
    this.#beginIfComplete();
    if (replies.length === 0) return;
    // Tells the others first what they have to know before the answer.
    this.#flush();
    if (tab === this.#options.own) for (const reply of replies) this.#options.take(reply);
    else this.#options.send(replies, tab);
  }

  close(): void {
    this.#flush();
    clearTimeout(this.#collecting);
    clearTimeout(this.#handOver);
    this.#closing.abort();
    this.#connection.close();
  }

  /** Hands over when `getToken` fails, and does not succeed soon after. */
  #watchTokens(tokens: Tokens): Tokens {
    const { handOver, memory } = this.#options;
    // When no tab has a token, the tabs must not ask in turn all the time.
    const patienceMs = (): number => Math.min(HAND_OVER_MS * 2 ** memory.handOvers, MAX_HAND_OVER_MS);
    return {
      ...tokens,
      set renewed(renewed: (() => void) | undefined) {
        tokens.renewed = renewed;
      },
      get: async () => {
        try {
          const token = await tokens.get();
          clearTimeout(this.#handOver);
          this.#handOver = undefined;
          memory.handOvers = 0;
          return token;
        } catch (error) {
          this.#handOver ??= setTimeout(() => {
            this.#handOver = undefined;
            if (this.#others.size === 0) return;
            memory.handOvers++;
            handOver();
          }, patienceMs());
          throw error;
        }
      },
    };
  }

  /** Returns whether the tab is at the end of the channel already. */
  #follow(tab: string, channel: string, position: string | undefined): boolean {
    let followed = this.#followed.get(channel);
    const isNew = followed === undefined;
    if (followed === undefined) {
      followed = { at: position, isReady: false, tabs: new Set() };
      this.#followed.set(channel, followed);
    }
    followed.tabs.add(tab);
    const { at, isReady } = followed;
    // A tab that is ahead of the end may be from a log that is gone. The broker knows.
    const moves =
      position !== undefined &&
      (at === undefined || isNewer(at, position) || (isReady && isNewer(position, at)));
    if (moves) Object.assign(followed, { at: position, isReady: false });
    if ((isNew || moves) && this.#collecting === undefined) this.#connection.follow(channel, position);
    return followed.isReady;
  }

  #drop(tab: string, channel: string): void {
    const followed = this.#followed.get(channel);
    if (!followed?.tabs.delete(tab) || followed.tabs.size > 0) return;
    this.#followed.delete(channel);
    if (this.#collecting === undefined) this.#connection.unfollow(channel);
  }

  #beginIfComplete(): void {
    if (this.#collecting !== undefined && this.#others.size >= this.#expected) this.#begin();
  }

  #begin(): void {
    clearTimeout(this.#collecting);
    this.#collecting = undefined;
    if (this.#closing.signal.aborted) return;
    for (const [channel, { at }] of this.#followed) this.#connection.follow(channel, at);
  }

  /** The browser frees the tab's lock when the tab has gone, for whatever reason. */
  #awaitEnd(tab: string): void {
    const { locks, lockOf } = this.#options;
    const gone = (): void => {
      this.#others.delete(tab);
      for (const channel of this.#followed.keys()) this.#drop(tab, channel);
    };
    locks.request(lockOf(tab), { signal: this.#closing.signal }, gone).catch(() => undefined);
  }

  #listen(): LinkListener {
    /** Reports something that moves the channel on. */
    const report = (news: Exclude<ChannelNews, { kind: 'refused' }>): void => {
      const followed = this.#followed.get(news.channel);
      if (!followed) return;
      followed.at = news.id;
      if (news.kind === 'ready') followed.isReady = true;
      if (news.kind === 'end') this.#followed.delete(news.channel);
      this.#report(news, followed);
    };
    const from = (channel: string): string | undefined => this.#followed.get(channel)?.at;
    return {
      event: (channel, id, type, data) =>
        report({ kind: 'event', channel, from: from(channel), id, type, data }),
      gap: (channel, id, after, before) =>
        report({ kind: 'gap', channel, from: from(channel), id, after, before }),
      ready: (channel, id) => {
        const followed = this.#followed.get(channel);
        if (!followed?.isReady || followed.at !== id)
          report({ kind: 'ready', channel, from: from(channel), id });
      },
      end: (channel, id) => report({ kind: 'end', channel, from: from(channel), id }),
      refused: (channel, error) => {
        const followed = this.#followed.get(channel);
        this.#followed.delete(channel);
        if (followed)
          this.#report({ kind: 'refused', channel, error, isCrowded: this.#others.size > 0 }, followed);
      },
      closing: (reason) => this.#report({ kind: 'closing', reason }),
      status: (status) => {
        if (status === this.#status) return;
        this.#status = status;
        if (status !== 'live' && status !== 'polling')
          for (const followed of this.#followed.values()) followed.isReady = false;
        this.#report({ kind: 'status', status });
      },
    };
  }

  #report(news: News, followed?: Followed): void {
    const { own, take } = this.#options;
    const others = followed ? followed.tabs.size - Number(followed.tabs.has(own)) : this.#others.size;
    if (others > 0 && this.#unsent.push(news) === 1) queueMicrotask(() => this.#flush());
    if (!followed || followed.tabs.has(own)) take(news);
  }

  #flush(): void {
    if (this.#unsent.length === 0 || this.#closing.signal.aborted) return;
    const news = this.#unsent;
    this.#unsent = [];
    this.#options.send(news);
  }
}
