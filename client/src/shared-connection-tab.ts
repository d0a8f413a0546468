import type { Leader, LeaderOptions, Locks, News, Wants } from './shared-connection-leader.ts';

/** After so much silence of the leader a tab asks whether it is still there: between once and twice this, in ms. */
const SILENCE_MS = 4_000;
/** How long the answer may take, in ms. Then the tab takes the leadership. */
const ANSWER_MS = 4_000;

/** What the tabs say to each other. */
type Message =
  /** Says who leads: when it begins, and when asked. */
  | { readonly kind: 'leader'; readonly tab: string }
  | { readonly kind: 'ping' }
  | { readonly kind: 'wants'; readonly tab: string; readonly wants: Wants; readonly isAll: boolean }
  /** An answer to one tab says who leads. */
  | { readonly kind: 'news'; readonly news: readonly News[]; readonly leader?: string };

/** The part of the browser's `BroadcastChannel` that is used. */
interface Bus {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

interface Browser {
  readonly navigator?: { readonly locks?: Locks };
  readonly BroadcastChannel?: new (name: string) => Bus;
}

/** What a tab does with what it hears. */
interface Handlers {
  take(news: News): void;
  /** There is a leader that does not know what this tab wants. */
  askForAll(): void;
  /** There is no leader for a moment. */
  connecting(): void;
  openLeader(options: Omit<LeaderOptions, 'open' | 'tokens' | 'memory'>): Leader;
  /** The browser refuses locks. */
  failed(): void;
}

/** A tab's part in a shared connection, from joining until it leaves: elects the leader, and talks with it. */
export class SharingTab {
  readonly #name: string;
  readonly #handlers: Handlers;
  readonly #id = Math.random().toString(36).slice(2);
  readonly #Channel: NonNullable<Browser['BroadcastChannel']>;
  /** What all tabs hear. */
  readonly #bus: Bus;
  /** What only this tab hears. Without it each answer to one of many tabs would wake all of them. */
  readonly #inbox: Bus;
  /** What tabs ask of the leader, while this tab leads. */
  #leaderInbox: Bus | undefined;
  readonly #locks: Locks;
  readonly #left = new AbortController();
  /** Whether this tab holds its own lock. The leader may hear of it then. */
  #isPresent = false;
  /** Set while this tab leads. */
  #leader: Leader | undefined;
  #leaderId: string | undefined;
  /** Ends the leadership of this tab. */
  #stepDown = (): void => undefined;
  /** Leaves the queue for the leadership, to take it by force. */
  #usurp = (): void => undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the leader was heard last, in ms since 1970. */
  #heard = 0;
  /** The leader was asked whether it is there. */
  #isAsking = false;

  /** Throws where the browser cannot share. */
  constructor(name: string, handlers: Handlers) {
    const { navigator, BroadcastChannel } = globalThis as Browser;
    if (!navigator?.locks || !BroadcastChannel) throw new Error('This browser cannot share.');
    this.#name = name;
    this.#handlers = handlers;
    this.#locks = navigator.locks;
    this.#Channel = BroadcastChannel;
    this.#bus = this.#listen(name);
    this.#inbox = this.#listen(this.#lockOf(this.#id));
    // The lock says that this tab is there: the browser frees it when the tab is closed or crashes.
    const { signal } = this.#left;
    const present = async (): Promise<void> => {
      this.#isPresent = true;
      const left = this.#queue();
      handlers.askForAll();
      this.#follow();
      await left;
    };
    this.#locks.request(this.#lockOf(this.#id), { signal }, present).catch(() => {
      if (!signal.aborted) handlers.failed();
    });
  }

  /**
   * Returns whether the wants were sent. If not, `askForAll` is called when it is time.
   * @param isAll whether these are all wants of the tab. The answer then says the status
   */
  send(wants: Wants, isAll: boolean): boolean {
    if (!this.#isPresent) return false;
    if (this.#leader) this.#leader.want(this.#id, wants, isAll);
    else this.#postTo('leader', { kind: 'wants', tab: this.#id, wants, isAll });
    return true;
  }

  leave(): void {
    clearTimeout(this.#timer);
    this.#leader?.close();
    this.#leader = undefined;
    this.#isPresent = false;
    this.#bus.close();
    this.#inbox.close();
    this.#leaderInbox?.close();
    this.#left.abort();
  }

  /** Asks whether the leader is there, and takes its place when there is no answer. */
  ping(): void {
    if (!this.#isPresent || this.#leader) return;
    const asked = Date.now();
    this.#isAsking = true;
    this.#post({ kind: 'ping' });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // This tab slept itself: the answer may be waiting.
      if (Date.now() > asked + 2 * ANSWER_MS) this.ping();
      else {
        if (this.#heard < asked) this.#usurp();
        this.#watch();
      }
    }, ANSWER_MS);
  }

  /** Leads whenever it is this tab's turn. Resolves when the tab leaves; rejects when locks are refused. */
  async #queue(): Promise<void> {
    const left = this.#left.signal;
    for (let mode: 'ask' | 'wait' | 'steal' = 'ask'; !left.aborted;) {
      const waiting = new AbortController();
      const end = (): void => waiting.abort();
      left.addEventListener('abort', end);
      let isUsurping = false;
      const options = {
        ask: { ifAvailable: true },
        wait: { signal: waiting.signal },
        steal: { steal: true },
      };
      if (mode === 'wait')
        this.#usurp = () => {
          isUsurping = true;
          end();
        };
      const others = mode === 'ask' ? undefined : () => this.#countOthers();
      const lead = async (lock: unknown): Promise<void> => {
        isUsurping = false;
        this.#usurp = () => undefined;
        if (lock && !left.aborted) await this.#lead(others?.());
      };
      try {
        await this.#locks.request(this.#lockOf('leader'), options[mode] as { steal?: true }, lead);
      } catch (error) {
        // The wait was ended, or another tab took the leadership, because this one did not answer.
        if ((error as Error).name !== 'AbortError') throw error;
      }
      left.removeEventListener('abort', end);
      mode = isUsurping ? 'steal' : 'wait';
      this.#endLead();
    }
  }

  /** Resolves when the leadership ends. */
  async #lead(others: Promise<number> | undefined): Promise<void> {
    const left = this.#left.signal;
    const ended = new Promise<void>((resolve) => {
      this.#stepDown = resolve;
      left.addEventListener('abort', () => resolve());
    });
    const leader = this.#handlers.openLeader({
      locks: this.#locks,
      lockOf: (tab) => this.#lockOf(tab),
      own: this.#id,
      others,
      take: (news) => this.#leader === leader && this.#handlers.take(news),
      send: (news, tab) =>
        tab === undefined
          ? this.#post({ kind: 'news', news })
          : this.#postTo(tab, { kind: 'news', news, leader: this.#id }),
      handOver: () => this.#stepDown(),
    });
    this.#leader = leader;
    this.#leaderId = this.#id;
    this.#leaderInbox = this.#listen(this.#lockOf('leader'));
    clearTimeout(this.#timer);
    this.#handlers.askForAll();
    this.#post({ kind: 'leader', tab: this.#id });
    await ended;
  }

  /** How many other tabs take part. */
  async #countOthers(): Promise<number> {
    const prefix = this.#lockOf('');
    const { held = [] } = await this.#locks.query();
    // Without the locks of the leadership and of this tab.
    return held.filter(({ name }) => name?.startsWith(prefix)).length - 2;
  }

  #endLead(): void {
    this.#stepDown();
    if (!this.#leader) return;
    this.#leader.close();
    this.#leaderInbox?.close();
    this.#leader = this.#leaderId = undefined;
    this.#handlers.connecting();
    this.#handlers.askForAll();
    this.#follow();
  }

  #follow(): void {
    this.#heard = Date.now();
    if (!this.#leader) this.#watch();
  }

  #hear(message: Message): void {
    const leader = this.#leader;
    if (message.kind === 'wants') leader?.want(message.tab, message.wants, message.isAll);
    else if (message.kind === 'ping') {
      if (leader) this.#post({ kind: 'leader', tab: this.#id });
      // One tab that asks is enough.
      else if (this.#isPresent && !this.#isAsking) this.#watch();
    } else if (!leader) {
      this.#heard = Date.now();
      if (message.kind === 'leader') {
        if (message.tab === this.#leaderId) return;
        // The first leader that this tab hears of is no loss of another one.
        if (this.#leaderId !== undefined) this.#handlers.connecting();
        this.#leaderId = message.tab;
        this.#handlers.askForAll();
      } else {
        this.#leaderId ??= message.leader;
        for (const news of message.news) this.#handlers.take(news);
      }
    }
  }

  /** Asks when the leader has been silent: it may be frozen. Browsers free the locks of a tab that has gone. */
  #watch(): void {
    this.#isAsking = false;
    clearTimeout(this.#timer);
    const began = Date.now();
    this.#timer = setTimeout(
      () => (this.#heard > began ? this.#watch() : this.ping()),
      SILENCE_MS * (1 + Math.random()),
    );
  }

  #listen(name: string): Bus {
    const bus = new this.#Channel(name);
    bus.onmessage = ({ data }) => this.#hear(data as Message);
    return bus;
  }

  /** Sends to one tab, or to the leader. */
  #postTo(tab: string, message: Message): void {
    const inbox = new this.#Channel(this.#lockOf(tab));
    inbox.postMessage(message);
    inbox.close();
  }

  #post(message: Message): void {
    if (!this.#left.signal.aborted) this.#bus.postMessage(message);
  }

  #lockOf(tab: string): string {
    return `${this.#name} ${tab}`;
  }
}
