import { setTimeout as delay } from 'node:timers/promises';
import { Recorder } from './resuming-reader.ts';
import type { ResumingReader } from './resuming-reader.ts';
import { openStream } from './sse-reader.ts';
import type { SseStream } from './sse-reader.ts';

/** What one reader saw of one of its channels. */
class ChannelRecorder extends Recorder implements ResumingReader {
  readonly name: string;
  readonly #reader: { readonly connections: number; close(): void };

  constructor(name: string, reader: { readonly connections: number; close(): void }) {
    super();
    this.name = name;
    this.#reader = reader;
  }

  get connections(): number {
    return this.#reader.connections;
  }

  /** @param id the id in this channel */
  note(type: string, id: string, data: string): void {
    this.record(type, id, data);
  }

  close(): void {
    this.#reader.close();
  }
}

/**
 * Reads several channels on one connection, with its own parser. Reconnects soon with the last id it got, each time to the
 * next address. Now and then it leaves a channel out for one connection: the channel begins live when it comes back.
 */
export class ManyChannelsReader {
  connections = 0;
  readonly channels: ReadonlyMap<string, ResumingReader>;
  /** Events that belong to no channel of the stream. */
  readonly strange: string[] = [];
  readonly #recorders: ReadonlyMap<string, ChannelRecorder>;
  readonly #urls: readonly string[];
  readonly #random: () => number;
  #stream: SseStream | undefined;
  #closed = false;

  /** @param urls of the brokers, without a path */
  constructor(
    name: string,
    urls: readonly string[],
    channels: readonly string[],
    random: () => number = Math.random,
  ) {
    this.#urls = urls;
    this.#random = random;
    this.#recorders = new Map(
      channels.map((channel) => [channel, new ChannelRecorder(`${name} on ${channel}`, this)]),
    );
    this.channels = this.#recorders;
    void this.#run();
  }

  /** Resets the connection, as a network does. */
  cut(): void {
    this.#stream?.close();
  }

  close(): void {
    this.#closed = true;
    this.#stream?.close();
  }

  async #run(): Promise<void> {
    let lastEventId: string | undefined;
    let missing: string | undefined;
    for (let turn = 0; !this.#closed; turn++) {
      // The reader misses what is published while a channel is left out. The broker does not know that, and sends no gap.
      if (missing !== undefined) this.#recorders.get(missing)?.note('sluice:gap', '', NOT_READ);
      missing = lastEventId === undefined || this.#random() < 0.8 ? undefined : this.#oneChannel();
      const names = [...this.#recorders.keys()].filter((name) => name !== missing);
      const query = names.map((name) => `channel=${name}`).join('&');
      try {
        this.#stream = await openStream(
          `${this.#urls[turn % this.#urls.length]}/events?${query}`,
          lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } },
        );
        if (this.#stream.status === 200) this.connections++;
        // A channel that was left out has to come back, or it would never see the last event.
        if (missing !== undefined) void delay(50 + this.#random() * 200).then(() => this.cut());
        for (;;) {
          const { event = 'message', id, data } = await this.#stream.next();
          if (this.#closed) return;
          if (id !== undefined) lastEventId = id;
          this.#record(event, id ?? '', data);
        }
      } catch {
        // The stream was refused, cut or ended: reconnect.
      }
      if (!this.#closed) await delay(20 + this.#random() * 80);
    }
  }

  #record(event: string, id: string, data: string): void {
    if (event === 'sluice:ready') {
      const { channels } = JSON.parse(data) as { channels: Record<string, string> };
      for (const [name, position] of Object.entries(channels))
        this.#recorders.get(name)?.note(event, position, data);
      return;
    }
    // The id of such an event is a cursor for all channels. It begins with one of them and its position.
    if (event === 'sluice:closing') return;
    const [named = '', own = ''] = /^([^@]*)@([^,]*)/.exec(id)?.slice(1) ?? [];
    const channel = event === 'sluice:gap' ? (JSON.parse(data) as { channel: string }).channel : named;
    const recorder = this.#recorders.get(channel);
    if (recorder === undefined)
      this.strange.push(`${event} has the id ${id}, which names no channel of the stream`);
    else recorder.note(event, own, data);
  }

  #oneChannel(): string | undefined {
    const names = [...this.#recorders.keys()];
    return names[Math.floor(this.#random() * names.length)];
  }
}

const NOT_READ = JSON.stringify({ after: null, before: null });
