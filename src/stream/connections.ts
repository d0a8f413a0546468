import type { CloseReason, StreamRefusal } from '../events/close-reason.ts';
import type { FairLoop, FairTask } from '../delivery/fair-loop.ts';
import type { StreamChannels } from './sse-connection.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { EndReason } from '../events/close-reason.ts';
import type { Expiry, Holder, Pulse, StreamContext, StreamSource } from './stream-context.ts';

/** A stream or a long poll. */
export interface OpenConnection {
  readonly openedAt: number;
  readonly expiry: Expiry;
  readonly channels: StreamChannels;
  /** Undefined when no token was needed. */
  readonly holder: Holder | undefined;
  readonly source: Pick<StreamSource, 'cursor' | 'positionIn'>;
  readonly lastWriteAt: number;
  /** After how many ms without a byte the connection gets a heartbeat, if that is sooner than the setting says. */
  readonly heartbeatMs?: number | undefined;
  /** Bytes that wait in this process for their reader to take them. */
  readonly bufferedBytes: number;
  /** Called once, when nothing more can be written. */
  onClose: (reason: CloseReason) => void;
  hasChannel(matches: (channel: ChannelName) => boolean): boolean;
  heartbeat(): void;
  /** Ends the connection after a whole event. The client may come back after `retry` ms. */
  end(reason: EndReason, retry: number): void;
  /** Closes the connection at once. */
  cut(): void;
  /** Closes a connection whose reader took nothing for `timeout` ms. True when it was closed. */
  closeIfStalled(timeout: number): boolean;
}

/** Whose limits a stream counts against. */
export interface StreamHolder {
  /** The client's address, or its network for IPv6. */
  readonly address: string;
  /** The token's `sub`; undefined for a stream without a token. */
  readonly subject: string | undefined;
}

export interface ConnectionsOptions {
  readonly loop: FairLoop;
  /** A stream gets a heartbeat after this many ms without a byte, or earlier if its reader asked for that. */
  readonly heartbeat: number;
  /** A stream is closed when its socket takes none of the waiting bytes for this many ms. */
  readonly stallTimeout: number;
  /** Reconnection time for clients, in ms. Each client gets its own, between 0.5 and 1.5 times this. */
  readonly retry: number;
  /** A stream is ended at this age in ms, give or take a fifth; Infinity for never. */
  readonly maxAge: number;
  /** The largest number of open streams; Infinity for no limit. */
  readonly maxConnections: number;
  readonly maxPerAddress: number;
  readonly maxPerSubject: number;
  /** Called when a stream opens and when it ends, before its subscriptions end. */
  readonly onOpened?: (connection: OpenConnection, holder: StreamHolder) => void;
  readonly onClosed: (reason: CloseReason, connection: OpenConnection, holder: StreamHolder) => void;
}

const NEVER: Expiry = { at: Infinity, reason: 'aged' };

/** All streams and long polls of this replica, and one timer for all of them: heartbeats, stalls, age, expired tokens, and the drain. */
export class Connections implements StreamContext {
  readonly loop: FairLoop;
  readonly pulse: Pulse = { now: performance.now() };
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<OpenConnection>();
  readonly #byAddress: HolderCounts;
  readonly #bySubject: HolderCounts;
  readonly #timer: NodeJS.Timeout;
  #sweeping = false;
  #draining = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
    this.loop = options.loop;
    this.#byAddress = new HolderCounts(options.maxPerAddress);
    this.#bySubject = new HolderCounts(options.maxPerSubject);
    const tick = Math.max(10, Math.min(1_000, options.heartbeat / 4, options.stallTimeout / 4));
    this.#timer = setInterval(() => this.#tick(), tick);
    this.#timer.unref();
  }

  get size(): number {
    return this.#open.size;
  }

  get bufferedBytes(): number {
    let bytes = 0;
    for (const connection of this.#open) bytes += connection.bufferedBytes;
    return bytes;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Why a new stream cannot be served now; undefined when it can. */
  refusal({ address, subject }: StreamHolder): StreamRefusal | undefined {
    if (this.#draining) return 'draining';
    if (this.#open.size >= this.#options.maxConnections) return 'limit';
    if (this.#byAddress.full(address)) return 'ip-limit';
    return this.#bySubject.full(subject) ? 'subject-limit' : undefined;
  }

  /** A reconnection time for one stream, in ms. Each differs, so that clients do not come back all at once. */
  jitteredRetry(): number {
    return clampRetry(this.#options.retry * (0.5 + Math.random()));
  }

  /** The reconnection time for a stream that is refused for now: 5 to 15 s, in ms (docs/protocol.md §5). */
  jitteredBackoff(): number {
    return 5_000 + Math.random() * 10_000;
  }

  /**
   * When a new stream ends: at its age, which differs for each, or when its token expires.
   * @param accessUntil epoch ms; Infinity for access that does not expire
   */
  expiry(accessUntil: number): Expiry {
    const { maxAge } = this.#options;
    if (maxAge === Infinity && accessUntil === Infinity) return NEVER;
    // The pulse may be late. With it the stream would end before its token does.
    const now = performance.now();
    const aged = now + maxAge * (0.8 + Math.random() * 0.4);
    const expired = now + accessUntil - Date.now();
    return expired < aged ? { at: expired, reason: 'expired' } : { at: aged, reason: 'aged' };
  }

  /** The stream gets heartbeats and counts against the limits until `onClose` is called. Many streams may share that function. */
  add<Connection extends OpenConnection>(
    connection: Connection,
    { address, subject }: StreamHolder,
    onClose: (connection: Connection) => void,
  ): void {
    this.#open.add(connection);
    this.#byAddress.add(address);
    this.#bySubject.add(subject);
    connection.onClose = (reason) => {
      this.#open.delete(connection);
      this.#byAddress.remove(address);
      this.#bySubject.remove(subject);
      this.#options.onClosed(reason, connection, { address, subject });
      onClose(connection);
    };
    this.#options.onOpened?.(connection, { address, subject });
  }

  /** Ends every stream after a whole event, evenly over `window` ms. Resolves when no stream is left. */
  async drain(window: number): Promise<void> {
    this.#draining = true;
    const began = performance.now();
    const total = this.#open.size;
    let ended = 0;
    const { loop } = this.#options;
    const task = (done: () => void): FairTask => ({
      run: (until) => {
        const due = Math.ceil(total * Math.min(1, (performance.now() - began + 50) / Math.max(1, window)));
        for (const connection of this.#open) {
          if (ended >= due) break;
          connection.end('drained', this.jitteredRetry());
          ended++;
          if (performance.now() >= until) return true;
        }
        if (ended >= total || this.#open.size === 0) done();
        else setTimeout(() => loop.add(task(done)), 50);
        return false;
      },
    });
    await new Promise<void>((resolve) => loop.add(task(resolve)));
  }

  /**
   * Ends the streams that match, each after a whole event and with its own reconnection time. Resolves with their number.
   * A stream that is opened in the meantime may be skipped.
   */
  async endMatching(matches: (connection: OpenConnection) => boolean): Promise<number> {
    let ended = 0;
    await this.visit((connection) => {
      const found = matches(connection);
      if (found) {
        connection.end('disconnected', this.jitteredRetry());
        ended++;
      }
      return found;
    });
    return ended;
  }

  /**
   * Calls the function for each stream, the oldest first, in slices of the loop. The function returns true when it did more
   * than a comparison. A stream that is opened in the meantime may be skipped.
   */
  visit(each: (connection: OpenConnection) => boolean): Promise<void> {
    const all = this.#open.values();
    // The oldest streams come first, so a client that comes back at once is not visited again, and the loop ends.
    let left = this.#open.size;
    return new Promise((resolve) => {
      this.#options.loop.add({
        run: (until) => {
          for (let next = all.next(); next.done !== true && left > 0; next = all.next()) {
            left--;
            const worked = each(next.value);
            if ((worked || (left & 63) === 0) && performance.now() >= until) return true;
          }
          resolve();
          return false;
        },
      });
    });
  }

  /** Cuts all open streams. */
  close(): void {
    clearInterval(this.#timer);
    for (const connection of this.#open) connection.cut();
  }

  #tick(): void {
    this.pulse.now = performance.now();
    if (this.#sweeping || this.#open.size === 0) return;
    this.#sweeping = true;
    const all = this.#open.values();
    this.#options.loop.add({
      run: (until) => {
        let visited = 0;
        for (let next = all.next(); next.done !== true; next = all.next()) {
          this.#sweepOne(next.value);
          if ((++visited & 63) === 0 && performance.now() >= until) return true;
        }
        this.#sweeping = false;
        return false;
      },
    });
  }

  #sweepOne(connection: OpenConnection): void {
    const { heartbeat, stallTimeout } = this.#options;
    const { now } = this.pulse;
    if (connection.closeIfStalled(stallTimeout)) return;
    if (now >= connection.expiry.at) connection.end(connection.expiry.reason, this.jitteredRetry());
    else if (now - connection.lastWriteAt >= Math.min(heartbeat, connection.heartbeatMs ?? heartbeat))
      connection.heartbeat();
  }
}

/** Node clients reconnect at once, again and again, when the time is 0 or more than 2^31−1. */
function clampRetry(ms: number): number {
  return Math.min(600_000, Math.max(500, ms));
}

/** Counts the streams of each holder. Only holders with a stream have an entry, so there are never more entries than streams. */
class HolderCounts {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  /** @param most the limit for each holder; with Infinity nothing is counted */
  constructor(most: number) {
    this.#most = most;
  }

  full(holder: string | undefined): boolean {
    return holder !== undefined && (this.#open.get(holder) ?? 0) >= this.#most;
  }

  add(holder: string | undefined): void {
    if (holder === undefined || this.#most === Infinity) return;
    this.#open.set(holder, (this.#open.get(holder) ?? 0) + 1);
  }

  remove(holder: string | undefined): void {
    if (holder === undefined || this.#most === Infinity) return;
    const left = (this.#open.get(holder) ?? 0) - 1;
    if (left > 0) this.#open.set(holder, left);
    else this.#open.delete(holder);
  }
}
