import { setTimeout as delay } from 'node:timers/promises';
import { Recorder } from './resuming-reader.ts';
import type { ResumingReader } from './resuming-reader.ts';
import { openStream } from './sse-reader.ts';

const WAYS = ['stream', 'plain', 'waiting', 'page', 'poll'] as const;

/** A page of `GET /channels/:channel/events`. */
export interface JsonPage {
  readonly channel: string;
  readonly events: readonly {
    readonly id: string;
    readonly event?: string;
    readonly data: string;
    readonly key?: string;
  }[];
  readonly next: string;
  readonly complete: boolean;
  readonly ended: boolean;
}

const QUERIES = { stream: '', plain: '?plain', waiting: '?wait=2s' } as const;

const UNKNOWN_GAP = JSON.stringify({ after: null, before: null });

/**
 * Reads one channel in changing ways: as a stream, as a plain stream, as streams that end by themselves, as JSON, and with long polls. Changes after a random
 * number of events, each time at the next address, and goes on from where it was.
 */
export class ChangingReader extends Recorder implements ResumingReader {
  readonly name: string;
  connections = 0;
  /** Resolves when the reader has been told that the channel has ended, or was closed. */
  readonly stopped: Promise<void>;
  readonly #urls: readonly string[];
  readonly #channel: string;
  readonly #random: () => number;
  #position: string | undefined;
  #leave: () => void = () => undefined;
  #closed = false;

  /**
   * @param urls of the brokers, without a path
   * @param cursor where to begin; undefined for the tail
   */
  constructor(
    name: string,
    urls: readonly string[],
    channel: string,
    random: () => number = Math.random,
    cursor?: string,
  ) {
    super();
    this.name = name;
    this.#urls = urls;
    this.#channel = channel;
    this.#random = random;
    this.#position = cursor;
    this.stopped = this.#run();
  }

  /** Ends the connection, as a network does. */
  cut(): void {
    this.#leave();
  }

  close(): void {
    this.#closed = true;
    this.#leave();
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#closed; turn++) {
      const url = this.#urls[turn % this.#urls.length] as string;
      try {
        await this.#read(url, WAYS[Math.floor(this.#random() * WAYS.length)] ?? 'page');
      } catch {
        // The request was refused, cut or ended: go on in another way.
      }
      if (!this.#closed) await delay(this.#random() * 50);
    }
  }

  async #read(url: string, way: (typeof WAYS)[number]): Promise<void> {
    const count = 1 + Math.floor(this.#random() * 40);
    // A plain stream says nothing of where it begins.
    if (this.#position === undefined || way === 'page') await this.#page(url, `limit=${count}`);
    else if (way === 'poll')
      await this.#page(url, `limit=${count}&wait=${1 + Math.floor(this.#random() * 5)}s`);
    else await this.#stream(url, way, count);
  }

  async #page(url: string, query: string): Promise<void> {
    const aborted = new AbortController();
    this.#leave = () => aborted.abort();
    const after = this.#position === undefined ? '' : `&after=${this.#position}`;
    const signal = AbortSignal.any([aborted.signal, AbortSignal.timeout(15_000)]);
    const answer = await fetch(`${url}/channels/${this.#channel}/events?${query}${after}`, { signal });
    if (!answer.ok) return;
    this.connections++;
    const { events, next, complete, ended } = (await answer.json()) as JsonPage;
    if (this.#closed) return;
    if (!complete) this.record('sluice:gap', '', UNKNOWN_GAP);
    for (const { id, event = 'message', data } of events) this.record(event, id, data);
    this.#position = next;
    if (events.length === 0) this.record('sluice:ready', next, '');
    if (ended) this.#end(next);
  }

  async #stream(url: string, way: keyof typeof QUERIES, count: number): Promise<void> {
    const plain = way === 'plain';
    const headers = { 'last-event-id': this.#position as string };
    const stream = await openStream(`${url}/events/${this.#channel}${QUERIES[way]}`, { headers });
    this.#leave = () => stream.close();
    if (stream.status === 204) this.#end(this.#position as string);
    // The next read begins with the gap that a plain stream cannot tell.
    if (stream.status === 410) await this.#page(url, '');
    if (stream.status !== 200) return;
    this.connections++;
    // A stream without events ends, too.
    const timer = setTimeout(() => stream.close(), 1_000 + this.#random() * 4_000);
    try {
      for (let left = count; left > 0; left--) {
        const { event = 'message', id, data } = await stream.next();
        if (this.#closed) return;
        if (id !== undefined) this.#position = id;
        // Nobody publishes such a text, so the checker reports it.
        if (plain && event.startsWith('sluice:'))
          this.record('message', id ?? '', `${event}-on-a-plain-stream`);
        else this.record(event, id ?? '', data);
        if (event === 'sluice:end') this.#closed = true;
      }
    } catch (error) {
      if (plain && stream.complete) this.#end(this.#position as string);
      else throw error;
    } finally {
      clearTimeout(timer);
      stream.close();
    }
  }

  #end(position: string): void {
    this.record('sluice:end', position, '');
    this.#closed = true;
  }
}
