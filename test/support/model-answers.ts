import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { DefaultChatTransport } from 'ai';
import type { UIMessageChunk } from 'ai';
import { AnswerEvents } from '../../examples/ai-answer/answer-events.ts';
import { RovingReader } from './resuming-reader.ts';
import type { Stage } from './stage.ts';

/** In ms, between two cuts of the same reader. */
const CUT_INTERVAL_MS = 2_000;

export interface ModelAnswersOptions {
  readonly answers: number;
  /** How many of the answers do not end before a page stops them. */
  readonly stopped: number;
  /** Parts of each answer, and how many come in a second. */
  readonly parts: number;
  readonly rate: number;
  readonly random: () => number;
}

/**
 * A backend and its readers: many answers of a model at the same time. The parts are those of the AI SDK's UI message stream.
 * Each answer is one upload to a channel of its own. Each upload that breaks is sent again, whole, to the next replica.
 */
export class ModelAnswers {
  readonly answers: readonly ModelAnswer[];
  readonly readers: readonly AnswerReader[];
  readonly chats: readonly ChatReader[];
  readonly #cutting: NodeJS.Timeout[] = [];

  /** `chats` is the number of answers that also have a reader with the AI SDK's DefaultChatTransport. */
  constructor(stage: Stage, { chats, ...options }: ModelAnswersOptions & { readonly chats: number }) {
    const { urls } = stage;
    const { random } = options;
    this.answers = Array.from({ length: options.answers }, (_, i) => new ModelAnswer(stage, i, options));
    this.readers = this.answers.map((answer, i) => {
      const query = i % 2 === 0 ? 'last_event_id=earliest' : 'plain&last_event_id=earliest';
      const paths = turned(urls, i).map((url) => `${url}/events/${answer.channel}?${query}`);
      return new AnswerReader(answer, paths, random);
    });
    this.chats = this.answers.slice(0, chats).map((answer) => new ChatReader(answer, urls));
    for (const reader of this.readers) this.#cut(reader, random);
    for (const reader of this.chats) {
      // A reader that begins at the first part each time needs a connection that lasts.
      const cutting = this.#cut(reader, random);
      void reader.answer.uploaded.then(() => clearInterval(cutting));
    }
    for (const answer of this.answers) answer.start();
  }

  /** Resolves when this share of the parts has been written. */
  async reached(share: number): Promise<void> {
    await Promise.all(this.answers.map((answer) => answer.reached(share)));
  }

  /** Stops the answers that wait for it, one after the other. Returns how long each stop took to reach the backend, in ms. */
  async stop(): Promise<number[]> {
    const times: number[] = [];
    for (const answer of this.answers) if (answer.waitsForStop) times.push(await answer.stop());
    return times;
  }

  /** Waits until every answer is uploaded and every reader has stopped by itself. Returns what is wrong. */
  async finish(): Promise<string[]> {
    await Promise.all(this.answers.map(({ uploaded }) => uploaded));
    await Promise.all([...this.readers, ...this.chats].map(({ stopped }) => stopped));
    return [
      ...this.readers.flatMap(({ answer, text }) =>
        text === answer.text ? [] : [`${answer.channel} differs`],
      ),
      ...this.chats.flatMap(({ answer, text }) =>
        text === answer.text ? [] : [`${answer.channel} differs in a chat`],
      ),
    ];
  }

  close(): void {
    for (const timer of this.#cutting) clearInterval(timer);
    for (const reader of [...this.readers, ...this.chats]) reader.close();
    for (const answer of this.answers) answer.close();
  }

  #cut(reader: AnswerReader | ChatReader, random: () => number): NodeJS.Timeout {
    const cutting = setInterval(() => reader.cut(), CUT_INTERVAL_MS * (0.75 + random() / 2));
    this.#cutting.push(cutting);
    return cutting;
  }
}

function turned(urls: readonly string[], by: number): string[] {
  return [...urls.slice(by % urls.length), ...urls.slice(0, by % urls.length)];
}

/** One answer: its parts as they were written, and its upload. */
class ModelAnswer {
  readonly index: number;
  readonly channel: string;
  /** Resolves when the broker has acknowledged the whole answer. */
  readonly uploaded: Promise<void>;
  /** How often the upload was sent. */
  attempts = 0;
  /** When each part was written, by its text; in ms. */
  readonly writtenAt = new Map<string, number>();
  readonly #stage: Stage;
  readonly #options: ModelAnswersOptions;
  readonly waitsForStop: boolean;
  readonly #events = new AnswerEvents();
  readonly #stops: RovingReader;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #waiting = new Set<() => void>();
  #written = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(stage: Stage, index: number, options: ModelAnswersOptions) {
    this.index = index;
    this.channel = `answers.${index}`;
    this.waitsForStop = index < options.stopped;
    this.#stage = stage;
    this.#options = options;
    const onStop = (): void => this.#end({ type: 'abort', reason: 'stop' });
    const urls = turned(stage.urls, index + 1).map(
      (url) => `${url}/events/stops.${index}?last_event_id=earliest`,
    );
    this.#stops = new StopReader(`stops of ${this.channel}`, urls, onStop);
    this.uploaded = this.#upload();
  }

  /** The data of all events. */
  get text(): string {
    return [...this.writtenAt.keys()].join('\n');
  }

  start(): void {
    this.#write({ type: 'start', messageId: this.channel });
    this.#write({ type: 'text-start', id: 'text' });
    const begun = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - begun) / 1_000) * this.#options.rate);
      while (this.#written < Math.min(due, this.#options.parts))
        this.#write({ type: 'text-delta', id: 'text', delta: `${this.index}.${this.#written++},` });
      for (const check of this.#waiting) check();
      if (this.#written === this.#options.parts && !this.waitsForStop) this.#end({ type: 'finish' });
    }, 1_000 / this.#options.rate);
  }

  async reached(share: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if (this.#written >= share * this.#options.parts) resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** Stops the answer, as a page does. Resolves with the time until the backend knew, in ms. */
  async stop(): Promise<number> {
    const begun = performance.now();
    const url = this.#stage.urls[this.index % this.#stage.urls.length] as string;
    for (let stopped = false; !stopped;) {
      const response = await fetch(`${url}/publish/stops.${this.index}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#stage.broker(0).key}` },
        body: 'stop',
      });
      await response.arrayBuffer();
      stopped = response.ok;
    }
    await this.#stopped.promise;
    return performance.now() - begun;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#events.end();
    this.#stops.close();
  }

  #write(chunk: UIMessageChunk): void {
    const data = JSON.stringify(chunk);
    this.writtenAt.set(data, performance.now());
    this.#events.append(`data: ${data}\n\n`);
  }

  #end(last: UIMessageChunk): void {
    this.#stopped.resolve();
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#write(last);
    this.#events.end();
    this.#stops.close();
  }

  async #upload(): Promise<void> {
    const { urls } = this.#stage;
    const { key } = this.#stage.broker(0);
    for (; !this.#closed; this.attempts++) {
      const url = urls[(this.index + this.attempts) % urls.length] as string;
      // Not with fetch: its streams take most of the test's CPU.
      const outgoing = request(`${url}/publish/${this.channel}?each=event&close=true`, {
        method: 'POST',
        agent: false,
        headers: { authorization: `Bearer ${key}`, 'idempotency-key': this.channel },
      });
      const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
      pipeline(this.#events.read(), outgoing).catch(() => outgoing.destroy());
      try {
        const [response] = await answered;
        if (response.statusCode === 200) return;
      } catch {
        // The replica is away.
      } finally {
        outgoing.destroy();
      }
      await delay(250 + this.#options.random() * 500);
    }
  }
}

class StopReader extends RovingReader {
  readonly #onStop: () => void;

  constructor(name: string, urls: readonly string[], onStop: () => void) {
    super(name, urls);
    this.#onStop = onStop;
  }

  protected override record(type: string, id: string, data: string): void {
    super.record(type, id, data);
    if (type === 'message') this.#onStop();
  }
}

/** Reads an answer with the id of the last event. Notes how late each part came. */
class AnswerReader extends RovingReader {
  readonly answer: ModelAnswer;
  /** In ms, for each part. */
  readonly lateness: number[] = [];

  constructor(answer: ModelAnswer, urls: readonly string[], random: () => number) {
    super(`reader of ${answer.channel}`, urls, random);
    this.answer = answer;
  }

  get text(): string {
    return this.seen.flatMap((one) => (one.kind === 'event' ? [one.text] : [])).join('\n');
  }

  protected override record(type: string, id: string, data: string): void {
    super.record(type, id, data);
    const writtenAt = this.answer.writtenAt.get(data);
    if (writtenAt !== undefined) this.lateness.push(performance.now() - writtenAt);
  }
}

/** Reads an answer as useChat does: each connection begins at the first part. */
class ChatReader {
  readonly answer: ModelAnswer;
  /** Resolves when the stream has ended and the broker has said that nothing is active any more. */
  readonly stopped: Promise<void>;
  text = '';
  connections = 0;
  readonly #urls: readonly string[];
  #connection = new AbortController();
  #closed = false;

  constructor(answer: ModelAnswer, urls: readonly string[]) {
    this.answer = answer;
    this.#urls = turned(urls, answer.index);
    this.stopped = this.#run();
  }

  cut(): void {
    this.#connection.abort();
  }

  close(): void {
    this.#closed = true;
    this.cut();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        const chunks = await this.#read('plain&last_event_id=earliest');
        if (chunks === null) continue;
        this.text = chunks.map((chunk) => JSON.stringify(chunk)).join('\n');
        if ((await this.#read('plain&last_event_id=earliest&only=active')) === null) return;
      } catch {
        // The connection was cut.
      }
      await delay(50);
    }
  }

  /** All chunks, when the stream has ended properly; null, when there is nothing to read. */
  async #read(query: string): Promise<UIMessageChunk[] | null> {
    this.#connection = new AbortController();
    const url = this.#urls[this.connections++ % this.#urls.length] as string;
    const transport = new DefaultChatTransport({
      prepareReconnectToStreamRequest: () => ({ api: `${url}/events/${this.answer.channel}?${query}` }),
    });
    const stream = await transport.reconnectToStream({
      chatId: this.answer.channel,
      abortSignal: this.#connection.signal,
    });
    return stream && (await Array.fromAsync(stream));
  }
}
