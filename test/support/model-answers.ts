import { setTimeout as delay } from 'node:timers/promises';
import { DefaultChatTransport } from 'ai';
import type { UIMessageChunk } from 'ai';
import { ModelAnswer, turned } from './model-answer.ts';
import type { ModelAnswerOptions } from './model-answer.ts';
import { RovingReader } from './resuming-reader.ts';
import type { Stage } from './stage.ts';

/** In ms, between two cuts of the same reader. */
const CUT_INTERVAL_MS = 2_000;

interface ModelAnswersOptions extends ModelAnswerOptions {
  readonly answers: number;
  /** How many of the answers also have a reader with the AI SDK's DefaultChatTransport. */
  readonly chats: number;
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

  constructor(stage: Stage, { chats, ...options }: ModelAnswersOptions) {
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
