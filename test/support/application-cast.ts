import { BatchPublisher } from './batch-publisher.ts';
import { ChangingReader } from './changing-reader.ts';
import { LogReader } from './log-reader.ts';
import { ManyChannelsReader } from './many-channels-reader.ts';
import { NumberedPublisher } from './numbered-publisher.ts';
import { checkPromise } from './promise-checker.ts';
import type { Verdict } from './promise-checker.ts';
import { RovingReader } from './resuming-reader.ts';
import type { ResumingReader } from './resuming-reader.ts';
import type { Stage } from './stage.ts';
import { UploadPublisher } from './upload-publisher.ts';
import type { Upload } from './upload-publisher.ts';

/** Events a second of each publisher of single events. */
const RATE = 50;

export interface CastOptions {
  readonly channels?: readonly string[];
  readonly readers?: number;
  /** Publishers of single events on each channel; a quarter of them uses no idempotency keys and repeats nothing. */
  readonly singles?: number;
  /** Whether no event may ever be lost or deleted: then the log has to have all of them, and no reader of one channel gets a gap. */
  readonly lossless?: boolean;
  /** As in NumberedPublisher. */
  readonly retries?: boolean;
  /** In ms, between two bodies of a publisher. */
  readonly pause?: number;
  readonly random: () => number;
}

/**
 * An application on a stage: batches and uploads on several channels, and readers of all of these channels on one connection
 * each, beside two readers of each single channel: one that reads streams, and one that changes between all ways to read.
 */
export class ApplicationCast {
  readonly channels: readonly string[];
  readonly many: readonly ManyChannelsReader[];
  readonly batches: BatchPublisher;
  readonly uploads: UploadPublisher;
  readonly #stage: Stage;
  readonly #single: ReadonlyMap<string, readonly ResumingReader[]>;
  readonly #last: ReadonlyMap<string, NumberedPublisher>;
  readonly #singles: ReadonlyMap<string, readonly NumberedPublisher[]>;
  readonly #lossless: boolean;

  constructor(
    stage: Stage,
    {
      channels = ['app.a', 'app.b', 'app.c'],
      readers = 3,
      singles = 0,
      lossless = false,
      retries = true,
      pause = 20,
      random,
    }: CastOptions,
  ) {
    this.#stage = stage;
    this.#lossless = lossless;
    this.channels = channels;
    const { urls } = stage;
    const { key } = stage.broker(0);
    const turned = (i: number): string[] => [
      ...urls.slice(i % urls.length),
      ...urls.slice(0, i % urls.length),
    ];
    this.many = Array.from(
      { length: readers },
      (_, i) => new ManyChannelsReader(`many ${i + 1}`, turned(i), channels, random),
    );
    this.#single = new Map(
      channels.map((channel, i) => [
        channel,
        [
          new RovingReader(
            `rover on ${channel}`,
            turned(i).map((url) => `${url}/events/${channel}`),
            random,
          ),
          new ChangingReader(`changing on ${channel}`, turned(i), channel, random),
        ],
      ]),
    );
    this.#last = new Map(
      channels.map((channel) => [
        channel,
        new NumberedPublisher({ urls, key, channel, name: 'last', rate: 1 }),
      ]),
    );
    this.#singles = new Map(
      channels.map((channel) => [
        channel,
        Array.from({ length: singles }, (_, i) => {
          const once = i % 4 === 3;
          const options = { urls, key, channel, name: `single-${i}`, rate: RATE };
          return new NumberedPublisher({ ...options, keyed: !once, retries: retries && !once });
        }),
      ]),
    );
    const shared = { urls, key, channels, retries, random };
    this.batches = new BatchPublisher({ ...shared, name: 'batch', size: 50, pause });
    this.uploads = new UploadPublisher({ ...shared, name: 'upload', size: 200, pause });
  }

  /** Resolves when every reader is ready. Then begins to publish. */
  async begin(): Promise<void> {
    await Promise.all(this.channels.flatMap((channel) => this.#readersOf(channel).map(({ ready }) => ready)));
    for (const publisher of [this.batches, this.uploads, ...this.#allSingles()]) publisher.start();
  }

  /** Deletes a channel on one of the replicas. Returns the status of the answer; undefined when there was none. */
  async delete(channel: string, index: number): Promise<number | undefined> {
    const { url, key } = this.#stage.broker(index);
    try {
      const answer = await fetch(`${url}/channels/${channel}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${key}` },
        signal: AbortSignal.timeout(5_000),
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return undefined;
    }
  }

  /** Stops publishing, waits until every reader has a last event of each channel, and checks the promise. */
  async finish(): Promise<Verdict> {
    await this.#stop();
    const verdicts: Verdict[] = [];
    for (const channel of this.channels) {
      const last = this.#last.get(channel) as NumberedPublisher;
      const { id } = await last.publishSurely(`the-last-of-${channel}`);
      const readers = this.#readersOf(channel);
      await Promise.all(readers.map((reader) => reader.reached(id)));
      const records = [this.batches, this.uploads].map((publisher) => publisher.records.get(channel));
      const singles = this.#singles.get(channel) ?? [];
      const published = [...records.filter((record) => record !== undefined), ...singles, last];
      const gaps = this.#lossless ? (this.#single.get(channel) ?? []).filter(hasGap) : [];
      if (this.#lossless) readers.push(await LogReader.read(this.#stage.urls[0] as string, channel));
      verdicts.push(checkPromise(published, readers));
      const uploads = this.uploads.uploads.filter((upload) => upload.channel === channel);
      const breaches = [
        ...readers.flatMap((reader) => checkUploads(reader, uploads)),
        ...gaps.map(({ name }) => `${name} got a gap`),
      ];
      verdicts.push({ acknowledged: 0, delivered: 0, reconnects: 0, gaps: 0, breaches });
    }
    const strange = this.many.flatMap((reader) => reader.strange);
    return {
      acknowledged:
        sum(verdicts, ({ acknowledged }) => acknowledged) +
        sum(this.uploads.uploads, ({ lines }) => lines.length - 2),
      delivered: sum(verdicts, ({ delivered }) => delivered),
      reconnects: sum(verdicts, ({ reconnects }) => reconnects),
      gaps: sum(verdicts, ({ gaps }) => gaps),
      breaches: [...verdicts.flatMap(({ breaches }) => breaches), ...strange],
    };
  }

  async close(): Promise<void> {
    for (const reader of this.many) reader.close();
    for (const reader of [...this.#single.values()].flat()) reader.close();
    await this.#stop();
    await Promise.all([...this.#last.values()].map((publisher) => publisher.stop()));
  }

  /** The publishers of single events, on all channels. */
  #allSingles(): NumberedPublisher[] {
    return [...this.#singles.values()].flat();
  }

  async #stop(): Promise<void> {
    const publishers = [this.batches, this.uploads, ...this.#allSingles()];
    await Promise.all(publishers.map((publisher) => publisher.stop()));
  }

  #readersOf(channel: string): ResumingReader[] {
    const many = this.many.flatMap((reader) => reader.channels.get(channel) ?? []);
    return [...many, ...(this.#single.get(channel) ?? [])];
  }
}

function hasGap({ seen }: ResumingReader): boolean {
  return seen.some(({ kind }) => kind === 'gap');
}

/** Of an upload whose first and last line a reader saw without a gap in between, it saw every line, in order. */
function checkUploads({ name, seen }: ResumingReader, uploads: readonly Upload[]): string[] {
  const breaches: string[] = [];
  const place = new Map(seen.map((one, index) => [one.kind === 'event' ? one.text : '', index]));
  for (const { lines } of uploads) {
    const places = lines.map((line) => place.get(line));
    const [first] = places;
    const last = places.at(-1);
    if (first === undefined || last === undefined) continue;
    if (seen.slice(first, last).some(({ kind }) => kind === 'gap')) continue;
    for (const [i, at] of places.entries()) {
      if (at === undefined) breaches.push(`${name}: "${lines[i]}" of an upload is missing`);
      else if (at < (places[i - 1] ?? -1)) breaches.push(`${name}: "${lines[i]}" came after its successor`);
    }
  }
  return breaches;
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
