import { setTimeout as delay } from 'node:timers/promises';
import { ChangingReader } from './changing-reader.ts';
import { checkPromise } from './promise-checker.ts';
import type { Verdict } from './promise-checker.ts';
import { EventSourceReader, RovingReader } from './resuming-reader.ts';
import type { ResumingReader } from './resuming-reader.ts';
import type { Stage } from './stage.ts';
import { UploadPublisher } from './upload-publisher.ts';

/** How long a round waits for its readers before it ends the channel once more, in ms: Redis may have lost the end. */
const PATIENCE_MS = 2_000;

/**
 * Answers of a model, one after the other: each is an upload on a channel of its own, and ends the channel. Readers come before,
 * and one comes late. Each has to get every line, then the end, and has to stop.
 */
export class AnswerRounds {
  rounds = 0;
  readonly #stage: Stage;
  readonly #random: () => number;
  readonly #retries: boolean;
  readonly #verdicts: Verdict[] = [];
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(stage: Stage, { random, retries = true }: { random: () => number; retries?: boolean }) {
    this.#stage = stage;
    this.#random = random;
    this.#retries = retries;
  }

  start(): void {
    this.#running = this.#run();
  }

  async reached(rounds: number): Promise<void> {
    while (this.rounds < rounds) await delay(20);
  }

  /** Waits for the round under way. */
  async finish(): Promise<Verdict> {
    this.#stopped = true;
    await this.#running;
    const sum = (of: (verdict: Verdict) => number): number =>
      this.#verdicts.reduce((total, verdict) => total + of(verdict), 0);
    return {
      acknowledged: sum(({ acknowledged }) => acknowledged),
      delivered: sum(({ delivered }) => delivered),
      reconnects: sum(({ reconnects }) => reconnects),
      gaps: sum(({ gaps }) => gaps),
      breaches: this.#verdicts.flatMap(({ breaches }) => breaches),
    };
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#verdicts.push(await this.#round(`answer.${this.rounds + 1}`));
      this.rounds++;
    }
  }

  async #round(channel: string): Promise<Verdict> {
    const { urls } = this.#stage;
    const { key } = this.#stage.broker(0);
    const paths = urls.map((url) => `${url}/events/${channel}?last_event_id=earliest`);
    const rover = new RovingReader(`${channel}: rover`, paths, this.#random);
    const source = new EventSourceReader(`${channel}: eventsource`, paths[0] as string);
    const changing = new ChangingReader(`${channel}: changing`, urls, channel, this.#random, 'earliest');
    const publisher = new UploadPublisher({
      urls,
      key,
      channels: [channel],
      name: channel,
      size: 100,
      pause: 0,
      retries: this.#retries,
      random: this.#random,
    });
    await publisher.once();
    const late = new RovingReader(`${channel}: late`, paths.toReversed(), this.#random);
    const readers: ResumingReader[] = [rover, source, changing, late];
    const ended = Promise.all(readers.map((reader) => reader.ended)).then(() => true);
    do await this.#end(channel, key);
    while (!(await Promise.race([ended, delay(PATIENCE_MS).then(() => false)])));
    // A reader that stops by itself has got a 204.
    await rover.stopped;
    for (const reader of readers) reader.close();
    const lines = publisher.uploads[0]?.lines ?? [];
    const breaches = readers.flatMap(({ name, seen }) => {
      if (lines.length === 0 || seen.some(({ kind }) => kind === 'gap')) return [];
      const texts = seen.flatMap((one) => (one.kind === 'event' ? [one.text] : []));
      // A Redis that was flushed does not know of the first lines. Who began after the flush cannot be told a gap.
      const known = this.#retries ? lines : lines.slice(lines.length - texts.length);
      return texts.join() === known.join() ? [] : [`${name}: a line is missing before the end`];
    });
    const verdict = checkPromise([...publisher.records.values()], readers);
    return { ...verdict, breaches: [...verdict.breaches, ...breaches] };
  }

  /** Ends the channel, on any replica that answers. 409 says that it has ended already. */
  async #end(channel: string, key: string): Promise<void> {
    for (let i = 0; ; i++) {
      const url = this.#stage.urls[i % this.#stage.urls.length] as string;
      try {
        const answer = await fetch(`${url}/publish/${channel}?close=true`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}` },
          signal: AbortSignal.timeout(5_000),
        });
        await answer.arrayBuffer();
        if (answer.status === 200 || answer.status === 409) return;
      } catch {
        // The replica is away.
      }
      await delay(50);
    }
  }
}
