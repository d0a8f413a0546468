import type { ChannelName } from '../events/channel-name.ts';
import type { CloseReason, EndReason } from '../events/close-reason.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop, FairTask } from '../delivery/fair-loop.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { EventRun } from '../events/event-run.ts';
import type { GapNotice, Sink } from '../delivery/sink.ts';
import { EVENT_FRAMES, soleText } from './event-frames.ts';
import {
  HEARTBEAT,
  encodeClosing,
  encodeEnd,
  encodeGap,
  encodeHeartbeat,
  encodeReady,
  encodeWaiting,
} from './broker-events.ts';
import type { ChannelSet } from './channel-set.ts';
import { CHUNK_END, LAST_CHUNK, asChunk, chunkHead } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';
import { NO_SOURCE } from './stream-context.ts';
import type { Expiry, Holder, Pulse, StreamContext, StreamSource } from './stream-context.ts';
import type { Outlet, Wire } from './wire.ts';

/** Bytes written to a socket in one turn: readers of large events, for which libuv goes on writing, do not hold up the others. */
const PIECE_BYTES = 64 * 1024;

/** The one channel of a stream, or all of its channels. */
export type StreamChannels = ChannelName | ChannelSet;

export interface SseConnectionOptions {
  readonly expiry: Expiry;
  readonly channels: StreamChannels;
  /** Undefined when no token was needed. Many streams may share one object. */
  readonly holder: Holder | undefined;
  /** Heartbeats are events that a page can see, and not comments. */
  readonly heartbeatEvents: boolean;
  /** The reader wants a heartbeat after this many ms of silence. Undefined for SLUICE_HEARTBEAT, which is the most. */
  readonly heartbeatMs?: number | undefined;
}

/**
 * One stream over one wire, after its head. Runs of whole events go to the outlet without another copy. The stream has no queue: it
 * keeps only the rest of its last write. Until that has left, the stream is not writable, and the subscription reads the log.
 */
export class SseConnection implements Sink, FairTask {
  readonly openedAt: number;
  readonly expiry: Expiry;
  readonly channels: StreamChannels;
  readonly holder: Holder | undefined;
  readonly heartbeatMs: number | undefined;
  lastWriteAt: number;
  source: StreamSource = NO_SOURCE;
  /** Called once, when nothing more can be written. */
  onClose: (reason: CloseReason) => void = () => undefined;
  readonly #wire: Wire;
  readonly #outlet: Outlet;
  readonly #pulse: Pulse;
  readonly #loop: FairLoop;
  readonly #chunked: boolean;
  readonly #heartbeatEvents: boolean;
  /** The rest of the last write, in memory that all readers of the same run share. */
  #rest: Buffer | undefined;
  /** Whether {@link #rest} is the end of a chunk whose closing line break still has to be written. */
  #chunkOpen = false;
  /** The outlet wants no more bytes for now. */
  #full = false;
  /** Waits for its turn to write the rest. */
  #queued = false;
  #closed = false;
  /** Bytes given to the outlet, and how many of them the reader had taken at the last sweep. */
  #handed = 0;
  #taken = NaN;
  #progressAt = 0;

  constructor(wire: Wire, { pulse, loop }: StreamContext, options: SseConnectionOptions) {
    this.#wire = wire;
    this.#chunked = wire.chunked;
    this.#outlet = wire.outlet;
    this.#pulse = pulse;
    this.#loop = loop;
    this.channels = options.channels;
    this.holder = options.holder;
    this.heartbeatMs = options.heartbeatMs;
    this.#heartbeatEvents = options.heartbeatEvents;
    this.openedAt = pulse.now;
    this.lastWriteAt = pulse.now;
    this.expiry = options.expiry;
    wire.listen(
      () => {
        if (!this.#full || this.#closed) return;
        this.#full = false;
        if (this.#rest === undefined) this.resumed();
        else this.#enqueue();
      },
      () => this.gone('client'),
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
    const sole = run.isForOne ? soleText(run) : undefined;
    if (sole === undefined) this.writeShared(run.as(EVENT_FRAMES));
    else this.write(sole.text, undefined, sole.encoding);
  }

  /** Writes whole events that are encoded for several streams. */
  writeShared({ plain, chunk }: SharedBytes): void {
    if (!this.#begin()) return;
    const bytes = this.#chunked ? chunk : plain;
    if (bytes === undefined) this.#handChunk('', plain);
    else if (bytes.length <= PIECE_BYTES) this.#hand(bytes);
    else this.#handFirst(bytes);
  }

  /** Writes whole events, of which the first lines are this stream's own and the rest is shared. */
  write(own: string, shared?: Buffer, encoding?: 'latin1'): void {
    if (!this.#begin()) return;
    if (shared === undefined) this.#hand(this.#chunked ? asChunk(own, encoding) : own, encoding);
    else if (this.#chunked) this.#handChunk(own, shared);
    else {
      this.#hand(own);
      this.#handFirst(shared);
    }
  }

  /** Writes a comment, or an event of the broker that brings no news of a channel. */
  writeNotice(text: string): void {
    if (this.#begin()) this.#hand(this.#chunked ? asChunk(text) : text);
  }

  /** @param channels the position in each channel */
  writeReady(channels: Readonly<Record<ChannelName, string>>, position: string): void {
    this.writeNotice(encodeReady(channels, position));
  }

  /** Whether a condition holds for the stream's channel, or for one of its channels. */
  hasChannel(matches: (channel: ChannelName) => boolean): boolean {
    return typeof this.channels === 'string' ? matches(this.channels) : this.channels.names.some(matches);
  }

  /** Writes the next piece of the last write. */
  run(): boolean {
    this.#queued = false;
    if (this.#closed) return false;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.#handFirst(rest);
    if (this.writable) this.resumed();
    return false;
  }

  gap(notice: GapNotice, position: EventId): void {
    this.write(encodeGap(notice, position));
  }

  waiting(reason: LogTrouble): void {
    this.writeNotice(encodeWaiting(reason));
  }

  ready(channel: ChannelName, position: EventId): void {
    this.writeReady({ [channel]: position }, position);
  }

  ended(channel: ChannelName, position: EventId): void {
    this.finish(encodeEnd(channel, position));
  }

  heartbeat(): void {
    if (!this.writable) return;
    this.writeNotice(this.#heartbeatEvents ? encodeHeartbeat(Date.now(), this.source.cursor) : HEARTBEAT);
  }

  /** Ends the stream after the last whole event, says why, and asks the reader to come back after `retry` ms. */
  end(reason: EndReason, retry: number): void {
    this.#endWith(encodeClosing(reason, retry, this.source.cursor), reason);
  }

  /** Ends the stream with `last`, if that is not empty. By default, because nothing more will come. */
  finish(last: string, reason: CloseReason = 'ended'): void {
    this.#endWith(last, reason);
  }

  /** Closes the connection at once; bytes that wait are lost. */
  cut(): void {
    this.#wire.cut();
  }

  /** Closes the stream when bytes have waited for `timeout` ms and the reader took none of them. True when it was closed. */
  closeIfStalled(timeout: number): boolean {
    if (this.#closed || this.bufferedBytes === 0) {
      this.#taken = NaN;
      return false;
    }
    // The number of waiting bytes is not enough: the reader may have taken some while others were added.
    const taken = this.#handed - this.#wire.unsentBytes();
    if (taken !== this.#taken) {
      this.#taken = taken;
      this.#progressAt = this.#pulse.now;
      return false;
    }
    if (this.#pulse.now - this.#progressAt < timeout) return false;
    this.gone('stalled');
    this.#wire.reset();
    return true;
  }

  /** Called before each write. Writes the rest of the last write first. False when the stream is closed. */
  #begin(): boolean {
    if (this.#closed) return false;
    this.lastWriteAt = this.#pulse.now;
    if (this.#rest === undefined) return true;
    this.#hand(this.#rest);
    this.#rest = undefined;
    this.#closeChunk();
    return true;
  }

  /** Writes ASCII text and bytes as one chunk, with its head before them and its end after them. */
  #handChunk(text: string, bytes: Buffer): void {
    this.#outlet.cork();
    this.#hand(chunkHead(text.length + bytes.length) + text);
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

  /** Writes the first piece now. Each further piece is written in a later turn, when the one before it has left. */
  #handFirst(bytes: Buffer): void {
    if (this.#full) {
      this.#rest = bytes;
      return;
    }
    if (bytes.length <= PIECE_BYTES) {
      this.#hand(bytes);
      this.#closeChunk();
      return;
    }
    this.#hand(bytes.subarray(0, PIECE_BYTES));
    this.#rest = bytes.subarray(PIECE_BYTES);
    if (!this.#full) this.#enqueue();
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#loop.add(this);
  }

  #hand(bytes: Buffer | string, encoding?: 'latin1'): void {
    this.#handed += bytes.length;
    // A write above the high-water mark returns false even when the kernel has taken all of it.
    if (!this.#outlet.write(bytes, encoding) && this.#outlet.writableLength > 0) this.#full = true;
  }

  #endWith(text: string, reason: CloseReason): void {
    if (!this.#begin()) return;
    const chunk = text === '' ? '' : asChunk(text);
    this.#hand(this.#chunked ? `${chunk}${LAST_CHUNK}` : text);
    this.gone(reason);
    this.#wire.end();
  }

  /** The wire can take bytes again. */
  protected resumed(): void {
    this.source.resume();
  }

  /** Ends the stream without its last chunk, so that the reader comes back. */
  protected breakOff(reason: CloseReason): void {
    this.gone(reason);
    this.#wire.breakOff();
  }

  protected gone(reason: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest = undefined;
    this.onClose(reason);
  }
}
