import type { ChannelName } from '../events/channel-name.ts';
import { placeOf } from '../events/cursor.ts';
import type { Start } from '../events/cursor.ts';
import type { EventRun } from '../events/event-run.ts';
import type { EventId } from '../events/event.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { FairLoop, FairTask } from '../delivery/fair-loop.ts';
import type { Hub } from '../delivery/hub.ts';
import type { GapNotice, Sink } from '../delivery/sink.ts';
import type { Subscription } from '../delivery/subscription.ts';
import { encodeEnd, encodeGap, encodeWaiting } from './broker-events.ts';
import type { ChannelSet, Positions } from './channel-set.ts';
import type { SseConnection } from './sse-connection.ts';
import type { StreamSource } from './stream-context.ts';

export interface ChannelSetStreamOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly loop: FairLoop;
  readonly connection: Pick<
    SseConnection,
    'writable' | 'write' | 'writeShared' | 'writeNotice' | 'writeReady' | 'finish'
  >;
  readonly set: ChannelSet;
  /** One for each channel of the set. */
  readonly starts: readonly Start[];
}

/** The part of one channel in a stream. */
class ChannelSink implements Sink {
  readonly #stream: ChannelSetStream;
  readonly #index: number;
  #isReady = false;

  constructor(stream: ChannelSetStream, index: number) {
    this.#stream = stream;
    this.#index = index;
  }

  get writable(): boolean {
    return this.#stream.writable;
  }
  deliver(run: EventRun): void {
    this.#stream.deliver(this.#index, run);
  }
  gap(notice: GapNotice, position: EventId): void {
    this.#stream.gap(this.#index, notice, position);
  }
  waiting(reason: LogTrouble): void {
    this.#stream.waiting(reason);
  }
  ready(_channel: ChannelName, position: EventId): void {
    this.#isReady = true;
    this.#stream.ready(this.#index, position);
  }
  ended(_channel: ChannelName, position: EventId): void {
    this.#stream.ended(this.#index, position, this.#isReady);
  }
}

/**
 * The events of several channels on one connection: a subscription for each channel. A full socket stops all of them.
 *
 * The ids of a connection with many channels may be longer than its events. So a run is encoded piece by piece. Of a run
 * that is not written whole, the stream keeps the rest as it is, in the memory that all readers share.
 */
export class ChannelSetStream implements StreamSource, FairTask {
  readonly #options: ChannelSetStreamOptions;
  /** Of the first channels, and in the end of all. */
  readonly #subscriptions: Subscription[] = [];
  /** The positions of the last written events. */
  #positions: Positions;
  /** How many channels have neither been live nor ended yet. */
  #waitedFor: number;
  /** How many channels have not ended yet. */
  #left: number;
  /** The run that is being written. */
  #index = 0;
  #run: EventRun | undefined;
  /** Waits for its turn to write the next piece. */
  #queued = false;
  #ended = false;
  #writtenTrouble: LogTrouble | undefined;

  /**
   * Writes nothing before the constructor returns. A connection may have a hundred channels that the replica does not follow yet, and
   * many connections may come at once, so the loop subscribes to the channels in slices.
   */
  constructor(options: ChannelSetStreamOptions) {
    this.#options = options;
    const { set, starts, loop } = options;
    this.#positions = set.positions(starts.map(placeOf));
    this.#waitedFor = set.names.length;
    this.#left = set.names.length;
    loop.add({ run: (until) => this.#subscribe(until) });
  }

  get writable(): boolean {
    return this.#run === undefined && !this.#ended && this.#options.connection.writable;
  }

  get cursor(): string | undefined {
    const { set } = this.#options;
    if (this.#waitedFor > 0) {
      for (const [index, { cursor }] of this.#subscriptions.entries()) {
        if (this.#positions.places[index] === 'not-begun' && cursor !== undefined)
          this.#positions = set.move(this.#positions, index, cursor);
      }
    }
    return set.cursor(this.#positions);
  }

  positionIn(channel: ChannelName): string | undefined {
    const index = this.#options.set.names.indexOf(channel);
    const place = this.#positions.places[index];
    const isKnown = place !== 'not-begun' && place !== 'unreadable';
    return isKnown ? place : this.#subscriptions[index]?.cursor;
  }

  resume(): void {
    if (this.#run !== undefined) this.#enqueue();
    else for (const subscription of this.#subscriptions) subscription.resume();
  }

  /** Ends all subscriptions. Nothing is written any more. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#run = undefined;
    const { hub, set } = this.#options;
    for (const [index, subscription] of this.#subscriptions.entries())
      hub.unsubscribe(set.names[index] as ChannelName, subscription);
  }

  deliver(index: number, run: EventRun): void {
    this.#writtenTrouble = undefined;
    this.#index = index;
    this.#run = run;
    this.#writePiece();
  }

  gap(index: number, notice: GapNotice, position: EventId): void {
    const { connection, set } = this.#options;
    this.#positions = set.move(this.#positions, index, position);
    connection.write(encodeGap(notice, set.cursor(this.#positions, index) ?? position));
  }

  /** Each channel may give the same reason. It is written once. */
  waiting(reason: LogTrouble): void {
    if (this.#writtenTrouble === reason) return;
    this.#writtenTrouble = reason;
    this.#options.connection.writeNotice(encodeWaiting(reason));
  }

  ready(index: number, position: EventId): void {
    this.#positions = this.#options.set.move(this.#positions, index, position);
    this.#countReady(position);
  }

  /** The stream ends with the last of its channels. */
  ended(index: number, position: EventId, wasReady: boolean): void {
    const { connection, set, hub } = this.#options;
    const name = set.names[index] as ChannelName;
    // A reader that comes back with a cursor at the end of the channel has no news of it, each time that it comes back.
    const isNews = wasReady || this.#positions.places[index] !== position;
    this.#positions = set.move(this.#positions, index, position);
    const text = encodeEnd(name, set.cursor(this.#positions, index) ?? position);
    this.#left--;
    if (this.#left === 0) {
      connection.finish(text);
      return;
    }
    if (isNews) connection.write(text);
    else connection.writeNotice(text);
    hub.unsubscribe(name, this.#subscriptions[index] as Subscription);
    if (!wasReady) this.#countReady(position);
  }

  /** Writes the next piece of the run. */
  run(): boolean {
    this.#queued = false;
    if (this.#run === undefined || !this.#options.connection.writable) return false;
    this.#writePiece();
    if (this.writable) this.resume();
    return false;
  }

  #writePiece(): void {
    const { connection, set } = this.#options;
    if (this.#run === undefined) return;
    const { after, bytes, rest } = set.step(this.#positions, this.#index, this.#run);
    this.#positions = after;
    this.#run = rest;
    if (typeof bytes === 'string') connection.write(bytes);
    else if ('shared' in bytes) connection.write(bytes.idLine, bytes.shared);
    else connection.writeShared(bytes);
    // Further pieces wait for their turn, however much the socket takes.
    if (rest !== undefined && connection.writable) this.#enqueue();
  }

  /** Writes `sluice:ready` once, when every channel has become live or has ended. */
  #countReady(position: EventId): void {
    const { connection, set } = this.#options;
    this.#writtenTrouble = undefined;
    this.#waitedFor--;
    if (this.#waitedFor > 0) return;
    const { places } = this.#positions;
    const channels = Object.fromEntries(set.names.map((name, at) => [name, places[at] as EventId]));
    connection.writeReady(channels, set.cursor(this.#positions) ?? position);
  }

  /** Subscribes to the next channels until `until`. Returns true when there are more. */
  #subscribe(until: number): boolean {
    const { hub, set, starts } = this.#options;
    while (!this.#ended && this.#subscriptions.length < set.names.length) {
      const index = this.#subscriptions.length;
      const sink = new ChannelSink(this, index);
      this.#subscriptions.push(hub.subscribe(set.names[index] as ChannelName, starts[index] as Start, sink));
      if (performance.now() >= until) return true;
    }
    return false;
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#options.loop.add(this);
  }
}
