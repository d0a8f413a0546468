import type { ChannelName } from '../events/channel-name.ts';
import type { CloseReason, EndReason } from '../events/close-reason.ts';
import type { EventId } from '../events/event.ts';
import type { EventRun } from '../events/event-run.ts';
import type { Sink } from '../delivery/sink.ts';
import type { OpenConnection } from './connections.ts';
import { EventPage } from './event-page.ts';
import type { PageEnd } from './event-page.ts';
import type { FairLoop, FairTask } from '../delivery/fair-loop.ts';
import { NO_SOURCE } from './stream-context.ts';
import type { Expiry, Holder, Pulse, StreamContext, StreamSource } from './stream-context.ts';

/** How long a poll may take to find out that it has to wait, in ms, even if its own time is shorter. */
export const LEAST_MS = 1_000;

/** Takes the answer of a poll. */
export interface PollReply {
  /** There is nothing to answer yet. */
  hold(): void;
  /** @param end undefined when the log could not be read */
  answer(page: EventPage, end: PageEnd | undefined): void;
  /** Ends the request without an answer. */
  cut(): void;
}

export interface LongPollOptions {
  readonly expiry: Expiry;
  readonly channel: ChannelName;
  readonly holder: Holder | undefined;
  /** The largest number of events in the answer. */
  readonly limit: number;
  /** How long to wait for an event, in ms. */
  readonly wait: number;
  /** Whether the channel has ended at a position, as far as the replica knows. */
  readonly isEnd: (position: EventId) => boolean;
}

/**
 * A request that waits for the next events of a channel. The answer comes with the first events, a gap or the end of the
 * channel; at the deadline; or when the broker ends the poll. A poll is a subscriber like any other, so it misses nothing
 * between two polls, and all polls that get the same run share its bytes.
 */
export class LongPoll implements Sink, OpenConnection, FairTask {
  readonly openedAt: number;
  readonly expiry: Expiry;
  readonly channels: ChannelName;
  readonly holder: Holder | undefined;
  lastWriteAt: number;
  source: StreamSource = NO_SOURCE;
  onClose: (reason: CloseReason) => void = () => undefined;
  readonly #reply: PollReply;
  readonly #options: LongPollOptions;
  readonly #pulse: Pulse;
  readonly #loop: FairLoop;
  #timer: NodeJS.Timeout;
  #complete = true;
  /** Everything before {@link source}'s cursor has been read, and there was nothing to answer. */
  #waiting = false;
  /** The deadline has passed. */
  #late = false;
  #closed = false;

  constructor(reply: PollReply, { pulse, loop }: StreamContext, options: LongPollOptions) {
    this.#reply = reply;
    this.#options = options;
    this.#pulse = pulse;
    this.#loop = loop;
    this.openedAt = pulse.now;
    this.lastWriteAt = pulse.now;
    this.expiry = options.expiry;
    this.channels = options.channel;
    this.holder = options.holder;
    const left = Math.max(0, Math.min(options.wait, options.expiry.at - performance.now()));
    this.#timer = setTimeout(passDeadline, left, this);
  }

  get writable(): boolean {
    return !this.#closed;
  }

  get bufferedBytes(): number {
    return 0;
  }

  deliver(run: EventRun): void {
    const page = new EventPage(this.#options.limit);
    const next = run.events[page.add(run) - 1]?.id ?? run.from;
    this.#answer('answered', { next, complete: this.#complete, ended: this.#options.isEnd(next) }, page);
  }

  /** The events after the gap, if there are any, come in the same turn of the event loop. */
  gap(): void {
    this.#complete = false;
  }

  waiting(): void {
    // The log may come back before the deadline.
  }

  ready(_channel: ChannelName, position: EventId): void {
    this.#waiting = true;
    if (!this.#complete || this.#late)
      this.#answer('answered', { next: position, complete: this.#complete, ended: false });
    else this.#reply.hold();
  }

  ended(_channel: ChannelName, position: EventId): void {
    this.#answer('answered', { next: position, complete: this.#complete, ended: true });
  }

  hasChannel(matches: (channel: ChannelName) => boolean): boolean {
    return matches(this.channels);
  }

  heartbeat(): void {
    this.lastWriteAt = this.#pulse.now;
  }

  /** Answers without events, so that the client goes on elsewhere. */
  end(reason: EndReason): void {
    const next = this.source.cursor as EventId | undefined;
    this.#answer(reason, next === undefined ? undefined : { next, complete: this.#complete, ended: false });
  }

  /** The client has left. */
  leave(): void {
    this.#close('client');
  }

  cut(): void {
    this.#reply.cut();
    this.#close('drained');
  }

  closeIfStalled(): boolean {
    return false;
  }

  /** Thousands of polls may have the same deadline, such as the expiry of their token. Each passes it in a step of the loop. */
  passDeadline(): void {
    this.#loop.add(this);
  }

  run(): boolean {
    if (this.#closed) return false;
    if (this.#waiting || this.#late) {
      const next = this.#waiting ? (this.source.cursor as EventId | undefined) : undefined;
      this.#answer('answered', next === undefined ? undefined : { next, complete: true, ended: false });
    } else {
      this.#late = true;
      this.#timer = setTimeout(passDeadline, Math.max(0, LEAST_MS - this.#options.wait), this);
    }
    return false;
  }

  #answer(reason: CloseReason, end: PageEnd | undefined, page = new EventPage(0)): void {
    if (this.#closed) return;
    this.#close(reason);
    this.#reply.answer(page, end);
  }

  #close(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.onClose(reason);
  }
}

/** All polls share this function. */
function passDeadline(poll: LongPoll): void {
  poll.passDeadline();
}
