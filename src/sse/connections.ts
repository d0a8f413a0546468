import type { CloseReason, RefuseReason } from '../core/close-reason.ts';
import type { FairLoop, FairTask } from '../core/fair-loop.ts';
import { HolderCounts } from './holder-counts.ts';
import type { Expiry, Pulse, SseConnection, StreamContext } from './sse-connection.ts';

/** Whom a stream counts against. */
export interface StreamHolder {
  /** The client's address, or its network where that is what counts. */
  readonly address: string;
  /** Of its token; undefined for a stream that needed none. */
  readonly subject: string | undefined;
}

export interface ConnectionsOptions {
  readonly loop: FairLoop;
  /** After so many ms without a byte a stream gets a comment. */
  readonly heartbeat: number;
  /** After so many ms in which a socket took nothing of what waits for it, it is closed. */
  readonly stallTimeout: number;
  /** Reconnection time given to clients, in ms; each gets its own between 0.5 and 1.5 times this. */
  readonly retry: number;
  /** Asked to reconnect at that age, in ms, give or take a fifth; Infinity for never. */
  readonly maxAge: number;
  /** Streams at once; Infinity for no limit. */
  readonly maxConnections: number;
  readonly maxPerAddress: number;
  readonly maxPerSubject: number;
  readonly onClosed: (reason: CloseReason) => void;
}

const NEVER: Expiry = { at: Infinity, reason: 'aged' };

/** All streams of this replica, and the one timer that serves them all: heartbeats, stalls, age, the end of a token, and the drain. */
export class Connections implements StreamContext {
  readonly loop: FairLoop;
  readonly pulse: Pulse = { now: performance.now() };
  readonly #options: ConnectionsOptions;
  readonly #open = new Set<SseConnection>();
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

  /** Why a new stream cannot be served now, if so: it is answered all the same, and asked to come back. */
  refusal({ address, subject }: StreamHolder): RefuseReason | undefined {
    if (this.#draining) return 'draining';
    if (this.#open.size >= this.#options.maxConnections) return 'limit';
    if (this.#byAddress.full(address)) return 'ip-limit';
    return this.#bySubject.full(subject) ? 'subject-limit' : undefined;
  }

  /** A reconnection time for one stream, in ms, different for each, so that they do not all come back at once. */
  jitteredRetry(): number {
    return clampRetry(this.#options.retry * (0.5 + Math.random()));
  }

  /** For a stream that is refused for a reason that will pass: 5 to 15 s (docs/protocol.md §5). */
  jitteredBackoff(): number {
    return 5_000 + Math.random() * 10_000;
  }

  /**
   * When a new stream is to end: at its age, different for each, or when what admitted it expires.
   * @param accessUntil epoch ms; Infinity for what does not expire
   */
  expiry(accessUntil: number): Expiry {
    const { maxAge } = this.#options;
    if (maxAge === Infinity && accessUntil === Infinity) return NEVER;
    // Not the pulse, which may be late: a stream does not end before its token does.
    const now = performance.now();
    const aged = now + maxAge * (0.8 + Math.random() * 0.4);
    const expired = now + accessUntil - Date.now();
    return expired < aged ? { at: expired, reason: 'expired' } : { at: aged, reason: 'aged' };
  }

  /** From here on the stream gets heartbeats and is counted, until `onClose` is called. */
  add(connection: SseConnection, { address, subject }: StreamHolder, onClose: () => void): void {
    this.#open.add(connection);
    this.#byAddress.add(address);
    this.#bySubject.add(subject);
    connection.onClose = (reason) => {
      this.#open.delete(connection);
      this.#byAddress.remove(address);
      this.#bySubject.remove(subject);
      this.#options.onClosed(reason);
      onClose();
    };
  }

  /** Ends every stream, evenly over `window` ms, whole events only. Resolves when none is left. */
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
   * Ends the streams that match, whole events only, each with its own time to come back. Gives how many there were.
   * One that is opened in the meantime may be passed over.
   */
  endMatching(matches: (connection: SseConnection) => boolean): Promise<number> {
    const all = this.#open.values();
    // The oldest come first: who is ended and comes back at once is not ended again, and the walk has an end.
    let left = this.#open.size;
    let ended = 0;
    return new Promise((resolve) => {
      this.#options.loop.add({
        run: (until) => {
          for (let next = all.next(); next.done !== true && left > 0; next = all.next()) {
            left--;
            const found = matches(next.value);
            if (found) {
              next.value.end('disconnected', this.jitteredRetry());
              ended++;
            }
            if ((found || (left & 63) === 0) && performance.now() >= until) return true;
          }
          resolve(ended);
          return false;
        },
      });
    });
  }

  /** Cuts what is still open. */
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
          this.#look(next.value);
          if ((++visited & 63) === 0 && performance.now() >= until) return true;
        }
        this.#sweeping = false;
        return false;
      },
    });
  }

  #look(connection: SseConnection): void {
    const { heartbeat, stallTimeout } = this.#options;
    const { now } = this.pulse;
    if (connection.closeIfStalled(stallTimeout)) return;
    if (now >= connection.expiry.at) connection.end(connection.expiry.reason, this.jitteredRetry());
    else if (now - connection.lastWriteAt >= heartbeat) connection.heartbeat();
  }
}

/** Node clients take 0 or more than 2^31−1 for "at once", again and again. */
function clampRetry(ms: number): number {
  return Math.min(600_000, Math.max(500, ms));
}
