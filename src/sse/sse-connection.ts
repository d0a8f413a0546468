import type { ChannelName } from '../core/channel-name.ts';
import type { CloseReason, EndReason } from '../core/close-reason.ts';
import type { EventId } from '../core/event.ts';
import type { FairLoop, FairTask } from '../core/fair-loop.ts';
import type { LogTrouble } from '../core/log-trouble.ts';
import type { EventRun } from '../core/event-run.ts';
import type { GapNotice, Sink } from '../core/sink.ts';
import { EVENT_FRAMES } from './event-frames.ts';
import { HEARTBEAT, encodeClosing, encodeGap, encodeHeartbeat, encodeReady, encodeWaiting } from './frame.ts';
import { CHUNK_END, LAST_CHUNK, asChunk, chunkHead } from './shared-bytes.ts';
import type { Outlet, Wire } from './wire.ts';

/** The time, in ms and only as exact as the sweep that keeps it: reading it costs nothing. */
export interface Pulse {
  now: number;
}

/** What all streams of a replica share. */
export interface StreamContext {
  readonly pulse: Pulse;
  readonly loop: FairLoop;
}

/** When a stream is to end by itself. */
export interface Expiry {
  /** On the clock of its pulse; Infinity for never. */
  readonly at: number;
  readonly reason: EndReason;
}

/** Who has the stream written, and knows where it stands. */
export interface StreamSource {
  /** What the reader would resume from; undefined where that is nothing. */
  readonly cursor: EventId | undefined;
  /** The wire has taken what it was given. */
  resume(): void;
}

const NOBODY: StreamSource = { cursor: undefined, resume: () => undefined };

/** Who holds a stream, as far as ending it goes by that: what was accepted of their token. */
export interface Holder {
  /** Undefined for a token that names nobody. */
  readonly subject: string | undefined;
  /** Epoch ms. */
  readonly issuedAt: number;
}

/**
 * Bytes handed on at a time, so that a thousand who are given much take their turns with one who is given little. And
 * whatever of a write the kernel does not take at once, libuv writes as soon as it may, for every socket that takes more
 * in the same turn of the event loop: with hundreds of readers of large events that would be hundreds of MiB.
 */
const PIECE = 64 * 1024;

export interface SseConnectionOptions {
  readonly expiry: Expiry;
  readonly channel: ChannelName;
  /** Undefined for who needed no token. One object may stand behind many streams. */
  readonly holder: Holder | undefined;
  /** Heartbeats as events, for a page that wants to see them, and not as comments. */
  readonly heartbeatEvents: boolean;
}

/**
 * One stream over one wire, after its head is out: whole events go straight to its outlet, without another copy. It
 * holds no queue of its own but the rest of what was written last; while that is on its way, it says so and the
 * subscription reads the log instead.
 */
export class SseConnection implements Sink, FairTask {
  readonly openedAt: number;
  readonly expiry: Expiry;
  readonly channel: ChannelName;
  readonly holder: Holder | undefined;
  lastWriteAt: number;
  source: StreamSource = NOBODY;
  /** Called once, when nothing more can be written. */
  onClose: (reason: CloseReason) => void = () => undefined;
  readonly #wire: Wire;
  readonly #outlet: Outlet;
  readonly #pulse: Pulse;
  readonly #loop: FairLoop;
  readonly #chunked: boolean;
  readonly #heartbeatEvents: boolean;
  /** What is left of the last write, shared with all who are written the same. */
  #rest: Buffer | undefined;
  /** The rest is the end of a chunk, which is not marked in it. */
  #chunkOpen = false;
  /** The outlet wants no more for now. */
  #full = false;
  /** Waits for its turn to hand on the rest. */
  #queued = false;
  #closed = false;
  /** Bytes handed on so far, and how many of them had been taken when that was looked at last. */
  #handed = 0;
  #taken = NaN;
  #progressAt = 0;

  constructor(wire: Wire, { pulse, loop }: StreamContext, options: SseConnectionOptions) {
    this.#wire = wire;
    this.#chunked = wire.chunked;
    this.#outlet = wire.outlet;
    this.#pulse = pulse;
    this.#loop = loop;
    this.channel = options.channel;
    this.holder = options.holder;
    this.#heartbeatEvents = options.heartbeatEvents;
    this.openedAt = pulse.now;
    this.lastWriteAt = pulse.now;
    this.expiry = options.expiry;
    wire.listen(
      () => {
        if (!this.#full || this.#closed) return;
        this.#full = false;
        if (this.#rest === undefined) this.source.resume();
        else this.#enqueue();
      },
      () => this.#gone('client'),
    );
  }

  get writable(): boolean {
    return !this.#full && this.#rest === undefined && !this.#closed;
  }

  /** Bytes that wait in this process for their reader to take them. */
  get bufferedBytes(): number {
    return this.#closed ? 0 : this.#outlet.writableLength + (this.#rest?.length ?? 0);
  }

  deliver(run: EventRun): void {
    if (!this.#begin()) return;
    const { plain, chunk } = run.as(EVENT_FRAMES);
    const bytes = this.#chunked ? chunk : plain;
    if (bytes === undefined) this.#handChunk(plain);
    else if (bytes.length <= PIECE) this.#hand(bytes);
    else this.#handFirst(bytes);
  }

  /** Hands on the next piece of what was written last. */
  run(): boolean {
    this.#queued = false;
    if (this.#closed) return false;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#handFirst(rest);
    if (this.writable) this.source.resume();
    return false;
  }

  gap(notice: GapNotice, position: EventId): void {
    this.#say(encodeGap(notice, position));
  }

  waiting(reason: LogTrouble): void {
    this.#say(encodeWaiting(reason));
  }

  ready(channel: ChannelName, position: EventId): void {
    this.#say(encodeReady(channel, position));
  }

  heartbeat(): void {
    if (!this.writable) return;
    this.#say(this.#heartbeatEvents ? encodeHeartbeat(Date.now(), this.source.cursor) : HEARTBEAT);
  }

  /** Ends the stream after the last whole event, says why, and asks the reader to come back after `retry` ms. */
  end(reason: EndReason, retry: number): void {
    if (!this.#begin()) return;
    const text = encodeClosing(reason, retry, this.source.cursor);
    this.#hand(this.#chunked ? `${asChunk(text)}${LAST_CHUNK}` : text);
    this.#gone(reason);
    this.#wire.end();
  }

  /** At once, whatever was still on its way. */
  cut(): void {
    this.#wire.cut();
  }

  /** True when bytes have been waiting for `timeout` ms of which none was taken; then the stream is closed. */
  closeIfStalled(timeout: number): boolean {
    if (this.#closed || this.bufferedBytes === 0) {
      this.#taken = NaN;
      return false;
    }
    // Not what waits, which may be as much as before although the reader has taken some and more has been handed on.
    const taken = this.#handed - this.#wire.unsentBytes();
    if (taken !== this.#taken) {
      this.#taken = taken;
      this.#progressAt = this.#pulse.now;
      return false;
    }
    if (this.#pulse.now - this.#progressAt < timeout) return false;
    this.#gone('stalled');
    this.#wire.reset();
    return true;
  }

  #say(text: string): void {
    if (this.#begin()) this.#hand(this.#chunked ? asChunk(text) : text);
  }

  /** Before anything is written. Whoever writes behind what was not taken yet writes behind all of it. */
  #begin(): boolean {
    if (this.#closed) return false;
    this.lastWriteAt = this.#pulse.now;
    if (this.#rest === undefined) return true;
    this.#hand(this.#rest);
    this.#rest = undefined;
    this.#closeChunk();
    return true;
  }

  /** As one chunk, whose head and end are written beside the bytes. */
  #handChunk(bytes: Buffer): void {
    this.#outlet.cork();
    this.#hand(chunkHead(bytes.length));
    this.#chunkOpen = true;
    this.#handFirst(bytes);
    this.#outlet.uncork();
    if (!this.#full || this.#outlet.writableLength > 0) return;
    this.#full = false;
    if (this.#rest !== undefined) this.#enqueue();
  }

  #closeChunk(): void {
    if (!this.#chunkOpen) return;
    this.#chunkOpen = false;
    this.#hand(CHUNK_END);
  }

  /** One piece now, and the others each in its turn, once the one before has left. */
  #handFirst(bytes: Buffer): void {
    if (this.#full) {
      this.#rest = bytes;
      return;
    }
    if (bytes.length <= PIECE) {
      this.#hand(bytes);
      this.#closeChunk();
      return;
    }
    this.#hand(bytes.subarray(0, PIECE));
    this.#rest = bytes.subarray(PIECE);
    if (!this.#full) this.#enqueue();
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#loop.add(this);
  }

  #hand(bytes: Buffer | string): void {
    this.#handed += bytes.length;
    // A write larger than the high-water mark answers false also when the kernel took all of it at once.
    if (!this.#outlet.write(bytes) && this.#outlet.writableLength > 0) this.#full = true;
  }

  #gone(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest = undefined;
    this.onClose(reason);
  }
}
