import type { Channel } from './channel.ts';
import type { ChannelName } from './channel-name.ts';
import type { Start } from './cursor.ts';
import { BrokerError } from './errors.ts';
import { ORIGIN, compareEventIds, eventTime, lastIdBefore } from './event.ts';
import type { EventId } from './event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import type { Instruments } from './instruments.ts';
import type { SharedPage } from './log-page.ts';
import type { LogTrouble } from './log-trouble.ts';
import type { PageConsumer, RewindConsumer, Withdraw } from './page-reader.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** Where a subscription's bytes go: one connection. It never blocks; it says when it has had enough. */
export interface Sink {
  /** False while what was written has not left the process. The owner calls {@link Subscription.resume} when it has. */
  readonly writable: boolean;
  write(bytes: SharedBytes): void;
  /** Some events of the channel may be missing here, after `position`. */
  gap(notice: GapNotice, position: EventId): void;
  /** What follows has to wait, because the log refuses or is away; said once for each reason. */
  waiting(reason: LogTrouble): void;
  /** Everything up to `position` has been written; from now on events arrive as they are published. */
  ready(channel: ChannelName, position: EventId): void;
}

export interface GapNotice {
  readonly channel: ChannelName;
  /** What the subscriber saw last; null when that could not be read, or when it has seen nothing. */
  readonly after: EventId | null;
  /** The first id that follows, if any. */
  readonly before: EventId | null;
}

/**
 * One subscriber of one channel, either catching up or live. Catching up, it reads pages at its socket's pace; live, the
 * channel hands it what arrives. Joining, resuming, a lost announcement, a restarted log and a slow reader are all the
 * same move: back to catching up from {@link position}.
 */
export class Subscription implements PageConsumer, RewindConsumer, FairTask {
  /** The last event written, or where to begin. */
  position: EventId = ORIGIN;
  /** How many events the channel had taken in when this came. The channel's to say. */
  cameAt = 0;
  /** Its place among the channel's live subscribers; -1 while it catches up. The channel's to keep. */
  liveIndex = -1;
  readonly #channel: Channel;
  readonly #loop: FairLoop;
  readonly #sink: Sink;
  readonly #instruments: Instruments;
  #start: Start | undefined;
  /** What the log is asked for at the very first, while the start is being found. */
  #opening: Start | undefined;
  #page: SharedPage | undefined;
  #atEnd = false;
  /** Why the log cannot be read, while that has not been told. */
  #trouble: LogTrouble | undefined;
  #told: LogTrouble | undefined;
  #queued = false;
  /** What it waits for the log to say. */
  #asked: Withdraw | undefined;
  #ready = false;
  #ended = false;

  constructor(channel: Channel, start: Start, sink: Sink, loop: FairLoop, instruments: Instruments) {
    this.#channel = channel;
    this.#start = start;
    this.#sink = sink;
    this.#loop = loop;
    this.#instruments = instruments;
  }

  /** What its reader would resume from; undefined while that is not known. */
  get cursor(): EventId | undefined {
    if (this.#start !== undefined) return this.#start.from === 'id' ? this.#start.id : undefined;
    return leadsBack(this.#opening) ? undefined : this.position;
  }

  /** Where new events begin, for one who asked for nothing else: said once, as soon as the channel knows. */
  anchor(tail: EventId): void {
    if (this.#start?.from === 'tail') this.#start = { from: 'id', id: tail };
  }

  /** The sink can take bytes again. */
  resume(): void {
    if (this.liveIndex < 0) this.schedule();
  }

  /** Nothing more is wanted. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#page = undefined;
    this.#asked?.();
    this.#asked = undefined;
    this.#channel.remove(this);
  }

  /** Live: events that follow exactly on {@link position}. */
  receive(bytes: SharedBytes, to: EventId): void {
    this.position = to;
    this.#sink.write(bytes);
    if (!this.#sink.writable) this.catchUp();
  }

  /** No longer live, if it was: goes on from its position as soon as the sink takes more. */
  catchUp(): void {
    this.#channel.leaveLive(this);
    this.#atEnd = false;
    this.schedule();
  }

  schedule(): void {
    if (this.#queued || this.#ended) return;
    this.#queued = true;
    this.#loop.add(this);
  }

  onPage(page: SharedPage): void {
    this.#asked = undefined;
    this.#page = page;
    this.schedule();
  }

  onRewound(after: EventId): void {
    this.#asked = undefined;
    this.position = after;
    this.schedule();
  }

  /** In a step of its own: thousands may wait for the same. */
  onTrouble(error: unknown): void {
    const reason = (error instanceof BrokerError ? error.trouble : undefined) ?? 'other';
    if (this.#told === reason) return;
    this.#told = reason;
    this.#trouble = reason;
    this.schedule();
  }

  /** One step of catching up; whoever holds it up (the log, the sink, the channel) schedules the next. */
  run(): boolean {
    this.#queued = false;
    if (this.#ended || this.liveIndex >= 0 || !this.#sink.writable) return false;
    if (this.#trouble !== undefined) this.#sink.waiting(this.#trouble);
    this.#trouble = undefined;
    if (this.#asked !== undefined || !this.#sink.writable) return false;
    if (!this.#channel.serving) {
      this.#channel.wait(this);
      return false;
    }
    if (this.#start !== undefined && !this.#begin(this.#start)) return false;
    if (this.#page !== undefined) this.#deliver(this.#page);
    if (this.#sink.writable) this.#advance();
    return false;
  }

  /**
   * The law Join: the last look at what came before and going live happen in one synchronous step. The channel goes on taking
   * in events while pages are read, and keeps the newest; what it holds beyond our position is written here.
   */
  #advance(): void {
    const recent = this.#channel.recentAfter(this.position, this.cameAt);
    if (recent === undefined) {
      if (this.#atEnd) {
        this.#atEnd = false;
        this.#channel.check(this);
      } else {
        this.#asked = this.#channel.read(this.position, this);
      }
      return;
    }
    this.#opening = undefined;
    this.position = this.#channel.position;
    if (recent.count > 0) {
      this.#sink.write(recent.bytes);
      this.#instruments.replayed(recent.count);
      if (!this.#sink.writable) return;
    }
    this.#channel.join(this);
    this.#told = undefined;
    if (this.#ready) return;
    this.#ready = true;
    this.#sink.ready(this.#channel.name, this.position);
    if (!this.#sink.writable) this.catchUp();
  }

  /** Turns the start into a position; false while the log has to be asked for it. */
  #begin(start: Start): boolean {
    this.#start = undefined;
    this.#opening = start;
    const tail = this.#channel.position;
    switch (start.from) {
      case 'tail':
        this.position = tail;
        return true;
      case 'unreadable':
        this.position = tail;
        this.#tellGap(null, null);
        return true;
      case 'id':
        this.position = start.id;
        return true;
      case 'earliest':
        this.position = ORIGIN;
        return true;
      case 'time': {
        const before = lastIdBefore(start.ms);
        this.position = compareEventIds(before, tail) < 0 ? before : tail;
        return true;
      }
      case 'last':
        this.#asked = this.#channel.rewind(start.count, this);
        return false;
    }
  }

  #deliver(page: SharedPage): void {
    this.#page = undefined;
    const opening = this.#opening;
    this.#opening = undefined;
    const last = page.events.at(-1);
    if (!page.complete && isLoss(page, opening)) {
      const sawNothing = opening?.from === 'time' || opening?.from === 'earliest';
      this.#tellGap(sawNothing ? null : this.position, page.events[0]?.id ?? null);
    }
    if (last === undefined) {
      if (!page.complete) this.position = page.tail;
      this.#atEnd = true;
      return;
    }
    this.#atEnd = false;
    this.position = last.id;
    this.#sink.write(page.bytes);
    this.#instruments.replayed(page.events.length);
    this.#channel.offer(page.events);
  }

  #tellGap(after: EventId | null, before: EventId | null): void {
    this.#instruments.gap();
    this.#sink.gap({ channel: this.#channel.name, after, before }, this.position);
  }
}

/**
 * Whether only the log can say where that leads. Until it has, the reader has seen nothing and comes back as it came: what stands
 * for a moment is no event's id, and with an id of its own one who wants the newest would be told of what goes meanwhile.
 */
function leadsBack(start: Start | undefined): boolean {
  return start?.from === 'time' || start?.from === 'last' || start?.from === 'earliest';
}

/** Whether an incomplete page means that somebody who began like this misses something. */
function isLoss(page: SharedPage, opening: Start | undefined): boolean {
  // The newest of what is kept: whatever went while it was looked up is not among them.
  if (opening?.from === 'last') return false;
  if (opening?.from !== 'time') return true;
  // What went before the first event that is left (or, when none is left, the newest there was) decides.
  const missing = page.events[0]?.prev ?? page.tail;
  return missing !== ORIGIN && eventTime(missing) >= opening.ms;
}
