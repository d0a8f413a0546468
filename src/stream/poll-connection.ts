import type { CloseReason } from '../events/close-reason.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';
import { LEAST_MS } from './long-poll.ts';
import { SseConnection } from './sse-connection.ts';
import type { SseConnectionOptions } from './stream-context.ts';
import type { StreamContext } from './stream-context.ts';
import type { Wire } from './wire.ts';

/**
 * How many turns of the event loop a poll goes on after its news. The events of several channels in one turn, and the end of a
 * channel, which follows its last event by three turns, are then in one answer.
 */
const MORE_TURNS = 3;

/**
 * A stream that ends by itself (`?wait`), for networks that hold an answer back until it is complete. The stream ends once
 * `sluice:ready` is written, and either news of a channel was written before or after it, or the deadline has passed. News is
 * an event, a gap or the end of a channel. The stream ends on purpose and without `sluice:closing`: the reader comes back at
 * once with its last id.
 *
 * The stream ends only when its wire can take more bytes, so that a slow reader gets the time that any stream has.
 */
export class PollConnection extends SseConnection {
  readonly #loop: FairLoop;
  #timer: NodeJS.Timeout;
  #isReady = false;
  #isLate = false;
  /** How many times news was written. */
  #news = 0;
  /** The number at the last check of a late poll. -1 before a poll with a short deadline has had LEAST_MS. */
  #newsBefore: number;
  /** The next turns are the last ones. */
  #ending = false;
  #turnsLeft = MORE_TURNS;

  /** @param wait how long the stream waits for news, in ms */
  constructor(wire: Wire, context: StreamContext, options: SseConnectionOptions, wait: number) {
    super(wire, context, options);
    this.#loop = context.loop;
    this.#newsBefore = wait < LEAST_MS ? -1 : 0;
    this.#timer = setTimeout(passDeadline, wait, this);
  }

  override write(...written: Parameters<SseConnection['write']>): void {
    super.write(...written);
    this.#news++;
    this.#endIfDue();
  }

  override writeShared(...written: Parameters<SseConnection['writeShared']>): void {
    super.writeShared(...written);
    this.#news++;
    this.#endIfDue();
  }

  override writeReady(...ready: Parameters<SseConnection['writeReady']>): void {
    super.writeReady(...ready);
    this.#isReady = true;
    this.#endIfDue();
  }

  /**
   * A late poll that still catches up goes on until `sluice:ready`, so that a state is whole. A late poll that has got nothing
   * for LEAST_MS ends: the log is away.
   */
  passDeadline(): void {
    this.#isLate = true;
    if (this.#isReady) {
      this.#endIfDue();
    } else if (this.writable && this.#news === this.#newsBefore) {
      this.#end();
    } else {
      this.#newsBefore = this.#news;
      this.#timer = setTimeout(passDeadline, LEAST_MS, this);
    }
  }

  protected override resumed(): void {
    if (this.#ending && this.#turnsLeft === 0) {
      this.finish('', 'answered');
      return;
    }
    if (this.#ending) {
      this.#turnsLeft--;
      this.#loop.add(this);
    }
    super.resumed();
  }

  protected override gone(reason: CloseReason): void {
    clearTimeout(this.#timer);
    super.gone(reason);
  }

  #endIfDue(): void {
    if (this.#isReady && (this.#isLate || this.#news > 0)) this.#end();
  }

  /** Thousands of polls may have the same deadline or the same news. Each ends in a step of the loop. */
  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#loop.add(this);
  }
}

/** All polls share this function. */
function passDeadline(poll: PollConnection): void {
  poll.passDeadline();
}
