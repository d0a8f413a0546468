import { setTimeout as delay } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { openStream } from './sse-reader.ts';
import type { SseStream } from './sse-reader.ts';

export type Seen =
  | { readonly kind: 'event'; readonly id: string; readonly text: string }
  | { readonly kind: 'gap'; readonly after: string | null; readonly before: string | null }
  | { readonly kind: 'ready'; readonly id: string }
  /** The events before this one were deleted. */
  | { readonly kind: 'cleared'; readonly id: string }
  /** The channel has ended. */
  | { readonly kind: 'end'; readonly id: string }
  /** The broker has ended or refused the stream. `id` is the id to reconnect with. */
  | { readonly kind: 'closing'; readonly id: string };

/** A subscriber that reconnects after every loss, with the last id it got. */
export interface ResumingReader {
  readonly name: string;
  /** Everything received, over all connections, in order. */
  readonly seen: readonly Seen[];
  readonly connections: number;
  /** Resolves once an event with that id has arrived. */
  reached(id: string): Promise<void>;
  /** Resolves at the first `sluice:ready`. */
  readonly ready: Promise<void>;
  /** Resolves at `sluice:end`, or at a 204: a reader that is cut before the end comes back with the end's position. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Records what a reader gets of one channel. */
export abstract class Recorder {
  readonly seen: Seen[] = [];
  readonly #waiting = new Set<() => void>();

  get ready(): Promise<void> {
    return this.#until((one) => one.kind === 'ready');
  }

  get ended(): Promise<void> {
    return this.#until((one) => one.kind === 'end');
  }

  reached(id: string): Promise<void> {
    return this.#until((one) => (one.kind === 'event' || one.kind === 'ready') && one.id === id);
  }

  protected record(type: string, id: string, data: string): void {
    if (type === 'sluice:gap') {
      const { after, before } = JSON.parse(data) as { after: string | null; before: string | null };
      this.seen.push({ kind: 'gap', after, before });
    } else if (type === 'sluice:ready') {
      this.seen.push({ kind: 'ready', id });
    } else if (type === 'sluice:closing') {
      if (id !== '') this.seen.push({ kind: 'closing', id });
    } else if (type === 'sluice:cleared') {
      this.seen.push({ kind: 'cleared', id });
    } else if (type === 'sluice:end') {
      this.seen.push({ kind: 'end', id });
    } else {
      this.seen.push({ kind: 'event', id, text: data.split(' ', 1)[0] ?? '' });
    }
    for (const check of this.#waiting) check();
  }

  /** The reader came back with this id, and the answer was a 204. */
  protected recordNoContent(id: string): void {
    if (!this.seen.some(({ kind }) => kind === 'end')) this.record('sluice:end', id, '');
  }

  #until(condition: (one: Seen) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!this.seen.some(condition)) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** Reads with npm `eventsource`, as a program would: it has one address and reconnects by itself. */
export class EventSourceReader extends Recorder implements ResumingReader {
  readonly name: string;
  connections = 0;
  readonly #source: EventSource;
  #lastEventId = '';

  constructor(name: string, url: string) {
    super();
    this.name = name;
    this.#source = new EventSource(url);
    this.#source.addEventListener('open', () => this.connections++);
    this.#source.addEventListener('error', ({ code }) => {
      if (code === 204) this.recordNoContent(this.#lastEventId);
    });
    for (const type of [
      'message',
      'sluice:gap',
      'sluice:ready',
      'sluice:closing',
      'sluice:cleared',
      'sluice:end',
    ]) {
      this.#source.addEventListener(type, (event) => {
        this.#lastEventId = event.lastEventId;
        this.record(event.type, event.lastEventId, event.data as string);
      });
    }
  }

  close(): void {
    this.#source.close();
  }
}

/** Reads with its own parser and connections. Reconnects soon, each time to the next address. */
export class RovingReader extends Recorder implements ResumingReader {
  readonly name: string;
  connections = 0;
  readonly #urls: readonly string[];
  readonly #random: () => number;
  #stream: SseStream | undefined;
  #closed = false;
  /** Resolves when the reader has been told that the channel has ended, or was closed. */
  readonly stopped: Promise<void>;

  constructor(name: string, urls: readonly string[], random: () => number = Math.random) {
    super();
    this.name = name;
    this.#urls = urls;
    this.#random = random;
    this.stopped = this.#run();
  }

  /** Resets the connection, as a network does. */
  cut(): void {
    this.#stream?.close();
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.close();
  }

  async #run(): Promise<void> {
    let lastEventId: string | undefined;
    for (let turn = 0; !this.#closed; turn++) {
      const url = this.#urls[turn % this.#urls.length] as string;
      try {
        this.#stream = await openStream(
          url,
          lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } },
        );
        if (this.#stream.status === 200) this.connections++;
        // The channel has ended: an EventSource stops here, too.
        if (this.#stream.status === 204) {
          this.recordNoContent(lastEventId ?? '');
          return;
        }
        for (;;) {
          const { event = 'message', id, data } = await this.#stream.next();
          if (this.#closed) return;
          if (id !== undefined) lastEventId = id;
          this.record(event, id ?? '', data);
        }
      } catch {
        // The stream was refused, cut or ended: reconnect.
      }
      if (!this.#closed) await delay(20 + this.#random() * 80);
    }
  }
}
