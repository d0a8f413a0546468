import { createParser } from 'eventsource-parser';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { EventId } from '../../src/events/event.ts';
import type { LogTrouble } from '../../src/events/log-trouble.ts';
import type { EventRun } from '../../src/events/event-run.ts';
import type { GapNotice, Sink } from '../../src/delivery/sink.ts';
import { EVENT_FRAMES } from '../../src/stream/event-frames.ts';
import { asChunk } from '../../src/stream/shared-bytes.ts';

export type Received =
  | { readonly kind: 'event'; readonly id: string; readonly data: string }
  | ({ readonly kind: 'gap' } & GapNotice)
  | { readonly kind: 'waiting'; readonly reason: LogTrouble }
  | { readonly kind: 'ready' | 'ended'; readonly position: EventId };

/** A sink without a socket: reads the bytes back with a foreign parser, and can be slow. */
export class RecordingSink implements Sink {
  readonly received: Received[] = [];
  writes = 0;
  onWritable: () => void = () => undefined;
  /** Called when the channel has ended for this sink. */
  onEnded: () => void = () => undefined;
  /** Called after each write. Returns how many turns of the event loop the sink is full; 0 for none. */
  readonly #slowness: () => number;
  #blocked = false;
  #blockNext = false;
  readonly #waiting = new Set<() => void>();
  readonly #parser = createParser({
    onEvent: ({ id, data }) => this.#record({ kind: 'event', id: id ?? '', data }),
  });

  constructor(slowness: () => number = () => 0) {
    this.#slowness = slowness;
  }

  get writable(): boolean {
    return !this.#blocked;
  }

  get ids(): string[] {
    return this.received.flatMap((one) => (one.kind === 'event' ? [one.id] : []));
  }

  /** The id with which an EventSource would reconnect. */
  get position(): string | undefined {
    const last = this.received.findLast((one) => 'position' in one || one.kind === 'event');
    return last?.kind === 'event' ? last.id : last && 'position' in last ? last.position : undefined;
  }

  get gaps(): GapNotice[] {
    return this.received.flatMap(({ kind, ...rest }) => (kind === 'gap' ? [rest as GapNotice] : []));
  }

  /** The positions at which the channel has ended. */
  get ends(): string[] {
    return this.received.flatMap((one) => (one.kind === 'ended' ? [one.position] : []));
  }

  get isReady(): boolean {
    return this.received.some(({ kind }) => kind === 'ready');
  }

  deliver(run: EventRun): void {
    const { plain, chunk } = run.as(EVENT_FRAMES);
    if (this.#blocked) throw new Error('written to while not writable');
    this.writes++;
    if (chunk !== undefined && !chunk.equals(Buffer.from(asChunk(plain.toString()))))
      throw new Error('the chunk holds something else');
    this.#parser.feed(plain.toString());
    this.#slow();
  }

  gap(notice: GapNotice): void {
    this.#record({ kind: 'gap', ...notice });
  }

  waiting(reason: LogTrouble): void {
    this.#record({ kind: 'waiting', reason });
  }

  ready(_channel: ChannelName, position: EventId): void {
    this.#record({ kind: 'ready', position });
  }

  ended(_channel: ChannelName, position: EventId): void {
    if (this.#blocked) throw new Error('written to while not writable');
    this.#record({ kind: 'ended', position });
    this.onEnded();
  }

  /** Acts as a socket whose reader stops reading: takes one more write, and then none until {@link unblock}. */
  blockAfterNextWrite(): void {
    this.#blockNext = true;
  }

  unblock(): void {
    this.#blocked = false;
    this.onWritable();
  }

  /** Resolves once the condition holds; checks it whenever the sink receives something. */
  until(condition: (sink: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition(this)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #record(one: Received): void {
    this.received.push(one);
    for (const check of this.#waiting) check();
  }

  #slow(): void {
    if (this.#blockNext) {
      this.#blockNext = false;
      this.#blocked = true;
      return;
    }
    const turns = this.#slowness();
    if (turns === 0) return;
    this.#blocked = true;
    const count = (left: number): void => {
      if (left > 0) setImmediate(() => count(left - 1));
      else this.unblock();
    };
    count(turns);
  }
}
