import type { FastifyReply } from 'fastify';
import { BrokerError } from '../events/errors.ts';
import { hasLeft } from '../http/has-left.ts';

/** How many pages are read at the same time. The answers of the log may arrive together, and each takes a ms or two to read. */
const MAX_READS = 8;
/** How many more may wait for their turn. */
const MAX_QUEUED = 5_000;
/** How many bytes of pages may wait for their readers, in all. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** How long a reader may take for its page, in ms, when others find no room. */
const HOLD_MS = 5_000;

/** A page that waits for its reader. */
interface Hold {
  readonly since: number;
  cut(): void;
}

/**
 * Bounds the memory of pages that are read, or wait for slow readers. When the room is full, those who have held a page for longest
 * are cut off: readers that take a little at a time could otherwise keep all others out.
 */
export class PageRoom {
  readonly #stallTimeout: number;
  readonly #now: () => number;
  /** In the order of arrival. */
  readonly #holds = new Set<Hold>();
  /** In the order of arrival. */
  readonly #queue = new Set<() => void>();
  #reads = 0;
  /** How many readers wait for each body. Readers may share a body, and its bytes count once. */
  readonly #holders = new Map<Buffer, number>();
  #waitingBytes = 0;

  /**
   * @param stallTimeout a reader that takes nothing of a page for this many ms is cut off
   * @param now returns ms; only tests set it
   */
  constructor(stallTimeout: number, now: () => number = () => performance.now()) {
    this.#stallTimeout = stallTimeout;
    this.#now = now;
  }

  /**
   * Reads a page when there is room, and counts its bytes until the reader has them. Reads nothing for a reader that has left.
   * @throws BrokerError `overloaded`, and what `read` throws
   */
  async take(reply: FastifyReply, read: () => Promise<Buffer | undefined>): Promise<Buffer | undefined> {
    if (this.#queue.size >= MAX_QUEUED)
      throw new BrokerError('overloaded', 'Too many pages are being read. Try again.');
    if (this.#reads < MAX_READS) this.#reads++;
    else await new Promise<void>((resolve) => this.#queue.add(resolve));
    try {
      if (!this.#makeRoom())
        throw new BrokerError('overloaded', 'Too many pages wait for slow readers. Try again.');
      if (hasLeft(reply)) return undefined;
      const body = await read();
      if (body !== undefined) this.#hold(reply, body);
      return body;
    } finally {
      // Gives the turn to the page that has waited longest.
      const [next] = this.#queue;
      if (next === undefined) this.#reads--;
      else {
        this.#queue.delete(next);
        next();
      }
    }
  }

  #hold(reply: FastifyReply, body: Buffer): void {
    if (hasLeft(reply)) return;
    const { raw } = reply;
    const holders = this.#holders.get(body) ?? 0;
    this.#holders.set(body, holders + 1);
    if (holders === 0) this.#waitingBytes += body.length;
    const release = (): void => {
      if (this.#holds.delete(hold)) this.#release(body);
    };
    const hold: Hold = {
      since: this.#now(),
      cut: () => {
        release();
        raw.destroy();
      },
    };
    this.#holds.add(hold);
    raw.once('close', release);
    // The answer waits for another one on the same connection. It is never closed if that one is a stream.
    if (raw.socket === null) setTimeout(release, this.#stallTimeout).unref();
    raw.setTimeout(this.#stallTimeout, () => raw.destroy());
  }

  /** Returns false when all the room is held by pages that were given out a short time ago. */
  #makeRoom(): boolean {
    const now = this.#now();
    for (const hold of this.#holds) {
      if (this.#waitingBytes <= MAX_WAITING_BYTES || now - hold.since < HOLD_MS) break;
      hold.cut();
    }
    return this.#waitingBytes <= MAX_WAITING_BYTES;
  }

  #release(body: Buffer): void {
    const left = (this.#holders.get(body) ?? 0) - 1;
    if (left > 0) {
      this.#holders.set(body, left);
    } else {
      this.#holders.delete(body);
      this.#waitingBytes -= body.length;
    }
  }
}
