import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import {
  ANSWER_TIME_MS,
  DISCONNECT,
  MAX_ANSWER_BYTES,
  MAX_QUESTION_BYTES,
  boundedJson,
} from './control-bus.ts';
import type {
  Answerer,
  Answers,
  ControlBus,
  ControlBusOptions,
  ControlCommand,
  ControlListener,
  Json,
} from './control-bus.ts';
import { BrokerError } from '../events/errors.ts';
import { MAX_REVOCATIONS, revocationKey, revocationOf, revocationsFull } from './revocation.ts';
import type { Revocation } from './revocation.ts';
import { encodeQuestion, encodeReply, parseQuestion, parseReply } from './control-message.ts';
import type { ControlQuestion, ControlReply } from './control-message.ts';
import type { FailureWords, RedisClient } from '../redis/redis-client.ts';
import type { Refusal } from '../redis/redis-trouble.ts';

export interface RedisControlBusOptions extends ControlBusOptions {
  readonly client: RedisClient;
}

/** The largest number of questions that wait for answers at the same time. */
const MAX_PENDING = 100;
/** The largest number of replicas to remember, and of answers to accept for one question. */
const MAX_REPLICAS = 1_000;
/** How long a replica that sends no message is remembered, in ms. */
const REMEMBERED_MS = 600_000;
/** The key of the revocations lives for the ttl of a revocation and this much longer after its last change, in ms. */
const KEY_SLACK_MS = 60_000;

const QUESTION_WORDS: FailureWords = {
  nothingDone: 'No replica was asked.',
  next: 'Ask again.',
  unknown: 'The replicas may have received the question.',
};
const COMMAND_WORDS: FailureWords = {
  nothingDone: 'Nothing was revoked and no stream was disconnected.',
  next: 'Send the request again; repeating it does no harm.',
  unknown: 'The command may have been carried out. Send the request again; repeating it does no harm.',
};

interface Pending {
  readonly isAnswer: (reply: ControlReply) => boolean;
  readonly replies: Map<string, ControlReply>;
  /** How many answers to wait for; Infinity to wait for all replicas. */
  readonly enough: number;
  /** Called when all replicas have answered, or enough of them. */
  readonly done: () => void;
  /** How many connections Redis has sent the question to; undefined before Redis has answered. */
  asked: number | undefined;
}

/**
 * The control bus over Redis pub/sub. Each replica sends its answer to the replica that asked. This replica also receives its
 * own questions, so every connection that Redis counts belongs to a replica that answers.
 */
export class RedisControlBus implements ControlBus {
  readonly replica: string;
  readonly #options: RedisControlBusOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #answerers = new Map<string, Answerer>();
  /** When each replica last sent a message, by performance.now(). The map begins with the replica that was silent for longest. */
  readonly #heardOf = new Map<string, number>();
  /** Those of {@link #names} that are subscribed now. */
  readonly #subscribed = new Set<string>();
  readonly #names: readonly string[];
  #listener: ControlListener | undefined;
  /** Why Redis has refused a subscription to the messages of the other replicas. */
  #refusal: Refusal | undefined;

  constructor(options: RedisControlBusOptions) {
    this.#options = options;
    this.replica = options.replica;
    const { pubSub, keys } = options.client;
    const commands = keys.commands();
    const answers = keys.answers(this.replica);
    this.#names = [commands, answers];
    for (const name of this.#names) {
      pubSub.subscribe(name, {
        separate: true,
        onSubscribed: () => this.#onSubscribed(name),
        onInterrupted: () => this.#subscribed.delete(name),
        onMessage: (message) =>
          name === commands ? this.#onQuestion(message) : this.#onReply(parseReply(message)),
        onSubscribeRefused: (error) => (this.#refusal = options.client.refusalOf(error)),
      });
    }
  }

  listen(listener: ControlListener): void {
    this.#listener = listener;
    if (this.#joined) listener.onJoined();
  }

  answer(kind: string, answerer: Answerer): void {
    this.#answerers.set(kind, answerer);
  }

  async ask(kind: string, payload: Json, enough = Infinity): Promise<Answers<Json>> {
    boundedJson(payload, MAX_QUESTION_BYTES);
    return this.#ask(
      { kind, payload },
      [],
      (reply) => ('answer' in reply ? reply.answer : undefined),
      enough,
    );
  }

  async request(command: ControlCommand): Promise<Answers<number>> {
    const { revocation } = command;
    const revocations = revocation === undefined ? [] : [revocation];
    return this.#ask(command, revocations, (reply) => ('closed' in reply ? reply.closed : undefined));
  }

  async *revocations(): AsyncIterable<readonly Revocation[]> {
    const { client } = this.#options;
    const key = client.keys.revocations();
    const oldest = this.#oldest();
    let cursor = '0';
    do {
      let flat: string[];
      [cursor, flat] = await client.zscan(key, cursor, COMMAND_WORDS);
      const page: Revocation[] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const until = Number(flat[i + 1]);
        if (until > oldest) page.push(revocationOf(flat[i] ?? '', until));
      }
      yield page;
    } while (cursor !== '0');
  }

  async restore(revocations: readonly Revocation[]): Promise<void> {
    await this.#broadcast('', '', COMMAND_WORDS, revocations);
  }

  get #joined(): boolean {
    return this.#subscribed.size === this.#names.length;
  }

  async #ask<T>(
    about: ControlQuestion['about'],
    revocations: readonly Revocation[],
    answerOf: (reply: ControlReply) => T | undefined,
    enough = Infinity,
  ): Promise<Answers<T>> {
    if (!this.#joined || this.#pending.size >= MAX_PENDING) throw this.#cannotAsk();
    const { promise, resolve } = Promise.withResolvers<void>();
    const replies = new Map<string, ControlReply>();
    const isAnswer = (reply: ControlReply): boolean => answerOf(reply) !== undefined;
    const pending: Pending = { isAnswer, replies, enough, done: resolve, asked: undefined };
    const id = randomUUID();
    // Set before the question is sent: an answer may arrive before Redis has confirmed the question.
    this.#pending.set(id, pending);
    let timer: NodeJS.Timeout | undefined;
    try {
      const question = encodeQuestion({ id, from: this.replica, about });
      const { keys } = this.#options.client;
      const words = 'payload' in about ? QUESTION_WORDS : COMMAND_WORDS;
      pending.asked = await this.#broadcast(keys.commands(), question, words, revocations);
      timer = setTimeout(resolve, ANSWER_TIME_MS);
      if (!this.#isDone(pending)) await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
    const answers: { replica: string; answer: T }[] = [];
    for (const [replica, reply] of replies) answers.push({ replica, answer: answerOf(reply) as T });
    const missing = missingOf(pending, this.replica);
    // All running replicas have answered, so any other remembered replica has stopped.
    if (missing === 0)
      for (const name of this.#heardOf.keys()) if (!replies.has(name)) this.#heardOf.delete(name);
    return { answers, missing, silent: missing === 0 ? [] : this.#silent(replies) };
  }

  #cannotAsk(): BrokerError {
    const trouble = this.#refusal?.reason;
    const why = trouble === undefined ? '' : ` (${trouble})`;
    const detail = `The replicas cannot be asked now${why}. Nothing was done. Try again.`;
    return new BrokerError('log-unavailable', detail, trouble === undefined ? {} : { trouble });
  }

  /** Returns how many connections Redis has sent the message to. */
  async #broadcast(
    name: string,
    message: string,
    words: FailureWords,
    revocations: readonly Revocation[] = [],
  ): Promise<number> {
    const { client, revocationTtl, maxRevocations = MAX_REVOCATIONS } = this.#options;
    const sent = (await client.run(
      'broadcast',
      [client.keys.revocations()],
      [
        client.publish,
        name,
        message,
        this.#oldest(),
        maxRevocations,
        revocationTtl + KEY_SLACK_MS,
        ...revocations.flatMap((one) => [one.until, revocationKey(one)]),
      ],
      words,
    )) as number;
    if (sent < 0) throw revocationsFull(maxRevocations);
    return sent;
  }

  /** Revocations with this time or an earlier one have expired. In epoch ms. */
  #oldest(): number {
    return Date.now() - this.#options.revocationTtl;
  }

  #onSubscribed(name: string): void {
    this.#subscribed.add(name);
    if (!this.#joined) return;
    this.#refusal = undefined;
    this.#listener?.onJoined();
  }

  #onQuestion(message: Buffer): void {
    const question = parseQuestion(message);
    if (question === undefined) return;
    this.#noteHeardOf(question.from);
    // The replica that asked counts a failed or lost answer as missing.
    this.#reply(question).catch(() => undefined);
  }

  async #reply({ id, from, about }: ControlQuestion): Promise<void> {
    const answer = await ('payload' in about
      ? this.#answerers.get(about.kind)?.(about.payload)
      : this.#listener?.onCommand(about));
    if (answer === undefined) return;
    boundedJson(answer, MAX_ANSWER_BYTES);
    const own = { id, from: this.replica };
    const reply: ControlReply =
      about.kind === DISCONNECT ? { ...own, closed: answer as number } : { ...own, answer };
    const text = encodeReply(reply);
    if (from === this.replica) this.#onReply(parseReply(Buffer.from(text)));
    else await this.#broadcast(this.#options.client.keys.answers(from), text, QUESTION_WORDS);
  }

  #onReply(reply: ControlReply | undefined): void {
    if (reply === undefined) return;
    this.#noteHeardOf(reply.from);
    // A late answer has no pending question.
    const pending = this.#pending.get(reply.id);
    if (pending?.isAnswer(reply) !== true || pending.replies.size >= MAX_REPLICAS) return;
    pending.replies.set(reply.from, reply);
    if (this.#isDone(pending)) pending.done();
  }

  #isDone(pending: Pending): boolean {
    return pending.replies.size >= pending.enough || missingOf(pending, this.replica) === 0;
  }

  #noteHeardOf(replica: string): void {
    if (replica === this.replica) return;
    this.#heardOf.delete(replica);
    this.#heardOf.set(replica, performance.now());
    const [oldest] = this.#heardOf.keys();
    if (this.#heardOf.size > MAX_REPLICAS && oldest !== undefined) this.#heardOf.delete(oldest);
  }

  /** The remembered replicas that sent none of these replies. */
  #silent(replies: ReadonlyMap<string, unknown>): string[] {
    const since = performance.now() - REMEMBERED_MS;
    const names = [...this.#heardOf].filter(([, at]) => at >= since).map(([name]) => name);
    return [this.replica, ...names].filter((name) => !replies.has(name));
  }
}

/**
 * How many of the asked replicas have not answered. This replica always counts as asked: when it has not received its own
 * question, its subscriber connection is dead.
 */
function missingOf({ asked, replies }: Pending, self: string): number {
  if (asked === undefined) return Infinity;
  return Math.max(asked - replies.size, replies.has(self) ? 0 : 1);
}
