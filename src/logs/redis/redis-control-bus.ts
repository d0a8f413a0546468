import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type {
  Answers,
  ControlBus,
  ControlBusOptions,
  ControlCommand,
  ControlListener,
} from '../../core/control-bus.ts';
import { BrokerError } from '../../core/errors.ts';
import { MAX_REVOCATIONS, revocationKey, revocationOf, revocationsFull } from '../../core/revocation.ts';
import type { Revocation } from '../../core/revocation.ts';
import { encodeControl, parseReply, parseRequest } from './control-message.ts';
import type { ControlReply } from './control-message.ts';
import type { LogMonitor } from './log-monitor.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { Refusal } from './redis-trouble.ts';
import type { RedisScripts } from './redis-scripts.ts';

export interface RedisControlBusOptions extends ControlBusOptions {
  readonly scripts: Pick<RedisScripts, 'run'>;
  /** One ZSCAN: the next cursor, then members and scores by turns. */
  readonly scan: (key: string, cursor: string) => Promise<[string, string[]]>;
  readonly monitor: Pick<LogMonitor, 'suspect' | 'suspectNow'>;
  readonly explain: (error: Error) => Refusal;
  readonly keys: RedisKeys;
  /** By sharded pub/sub, as in a cluster. */
  readonly sharded: boolean;
}

/** How long replicas have for their answers once Redis has told them, in ms. */
const PATIENCE = 500;
/** Requests that may wait for answers at once. */
const MAX_PENDING = 100;
/** Before a subscription is tried again that Redis refused, in ms. */
const RETRY = 500;
/** How long the list outlives its last change beyond what its entries need, in ms. */
const KEY_SLACK = 60_000;

interface Pending {
  readonly closed: Map<string, number>;
  readonly done: () => void;
  /** How many connections Redis has told; undefined before it says. */
  told: number | undefined;
}

/**
 * Replicas tell each other by pub/sub, and each answers the one that asked. This replica hears its own commands like
 * those of the others, so that what Redis counts as told is what answers.
 */
export class RedisControlBus implements ControlBus {
  readonly replica: string;
  readonly #options: RedisControlBusOptions;
  readonly #commands: Buffer;
  readonly #answers: Buffer;
  readonly #pending = new Map<string, Pending>();
  #listener: ControlListener | undefined;
  /** The connection over which commands and answers arrive now. */
  #joined: Redis | undefined;
  /** Why Redis has refused to let this replica hear the others. */
  #notJoined: Refusal | undefined;

  constructor(options: RedisControlBusOptions) {
    this.#options = options;
    this.replica = options.replica;
    this.#commands = Buffer.from(options.keys.commands());
    this.#answers = Buffer.from(options.keys.answers(options.replica));
  }

  listen(listener: ControlListener): void {
    this.#listener = listener;
    if (this.#joined !== undefined) listener.onJoined();
  }

  /** Listens on this connection, from when it is ready and whenever it is again. */
  attach(subscriber: Redis): void {
    const { sharded } = this.#options;
    subscriber.on(sharded ? 'smessageBuffer' : 'messageBuffer', (name: Buffer, message: Buffer) => {
      if (name.equals(this.#commands)) this.#onCommand(message.toString());
      else if (name.equals(this.#answers)) this.#onReply(parseReply(message.toString()));
    });
    subscriber.on('ready', () => this.#join(subscriber));
    subscriber.on('close', () => {
      if (this.#joined === subscriber) this.#joined = undefined;
    });
  }

  async request(command: ControlCommand): Promise<Answers> {
    if (this.#joined === undefined || this.#options.monitor.suspect || this.#pending.size >= MAX_PENDING) {
      const trouble = this.#notJoined?.reason;
      const why = trouble === undefined ? '' : ` (${trouble})`;
      throw new BrokerError(
        'log-unavailable',
        `The replicas cannot be told now${why}. Nothing was done; try again.`,
        trouble === undefined ? {} : { trouble },
      );
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const pending: Pending = { closed: new Map(), done: resolve, told: undefined };
    const id = randomUUID();
    // Before anybody is told: an answer may be quicker than the one of Redis.
    this.#pending.set(id, pending);
    let timer: NodeJS.Timeout | undefined;
    try {
      pending.told = await this.#tell(
        this.#commands.toString(),
        encodeControl({ id, from: this.replica, command }),
        command.revocation === undefined ? [] : [command.revocation],
      );
      timer = setTimeout(resolve, PATIENCE);
      if (!this.#isComplete(pending)) await promise;
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
    return {
      answers: [...pending.closed].map(([replica, closed]) => ({ replica, closed })),
      complete: this.#isComplete(pending),
    };
  }

  async *revocations(): AsyncIterable<readonly Revocation[]> {
    const key = this.#options.keys.revocations();
    const oldest = this.#oldest();
    let cursor = '0';
    do {
      let flat: string[];
      try {
        [cursor, flat] = await this.#options.scan(key, cursor);
      } catch (error) {
        throw this.#explain(error as Error);
      }
      const page: Revocation[] = [];
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const until = Number(flat[i + 1]);
        if (until > oldest) page.push(revocationOf(flat[i] ?? '', until));
      }
      yield page;
    } while (cursor !== '0');
  }

  async restore(revocations: readonly Revocation[]): Promise<void> {
    await this.#tell('', '', revocations);
  }

  /** Gives how many connections were told. */
  async #tell(to: string, message: string, revocations: readonly Revocation[]): Promise<number> {
    const { scripts, keys, sharded, revocationTtl, maxRevocations = MAX_REVOCATIONS } = this.#options;
    let told: number;
    try {
      told = (await scripts.run(
        'tell',
        [keys.revocations()],
        [
          sharded ? 'SPUBLISH' : 'PUBLISH',
          to,
          message,
          this.#oldest(),
          maxRevocations,
          revocationTtl + KEY_SLACK,
          ...revocations.flatMap((one) => [one.until, revocationKey(one)]),
        ],
      )) as number;
    } catch (error) {
      throw this.#explain(error as Error);
    }
    if (told < 0) throw revocationsFull(maxRevocations);
    return told;
  }

  /** Revocations up to this time have expired, epoch ms. */
  #oldest(): number {
    return Date.now() - this.#options.revocationTtl;
  }

  #join(subscriber: Redis): void {
    const { stream } = subscriber;
    const { sharded } = this.#options;
    const names = [this.#commands, this.#answers];
    (sharded ? subscriber.ssubscribe(...names) : subscriber.subscribe(...names)).then(
      () => {
        if (subscriber.stream !== stream || subscriber.status !== 'ready') return;
        this.#joined = subscriber;
        this.#notJoined = undefined;
        this.#listener?.onJoined();
      },
      (error: unknown) => {
        if (subscriber.status === 'ready') this.#notJoined = this.#options.explain(error as Error);
        // When the connection broke, the next 'ready' tries again; when the node refused, this does.
        setTimeout(() => {
          if (subscriber.stream === stream && subscriber.status === 'ready') this.#join(subscriber);
        }, RETRY).unref();
      },
    );
  }

  #onCommand(text: string): void {
    const request = parseRequest(text);
    if (request === undefined || this.#listener === undefined) return;
    const { id, from, command } = request;
    void this.#listener.onCommand(command).then((closed) => {
      const reply: ControlReply = { id, from: this.replica, closed };
      if (from === this.replica) {
        this.#onReply(reply);
        return;
      }
      // One that is lost is one that the asker counts as missing.
      this.#tell(this.#options.keys.answers(from), encodeControl(reply), []).catch(() => undefined);
    });
  }

  #onReply(reply: ControlReply | undefined): void {
    // An answer that is late finds nobody who waits for it.
    const pending = reply === undefined ? undefined : this.#pending.get(reply.id);
    if (reply === undefined || pending === undefined) return;
    pending.closed.set(reply.from, reply.closed);
    if (this.#isComplete(pending)) pending.done();
  }

  /** Whoever was told has answered; this replica has to be among them, or its own connection is dead and hears nobody. */
  #isComplete({ told, closed }: Pending): boolean {
    return told !== undefined && closed.has(this.replica) && closed.size >= told;
  }

  #explain(error: Error): BrokerError {
    const { reason: trouble, detail } = this.#options.explain(error);
    const because = { cause: error, trouble };
    if (trouble === 'OOM')
      return new BrokerError('log-full', `${detail} Nothing was revoked and nobody disconnected.`, because);
    if (trouble === 'timeout') this.#options.monitor.suspectNow();
    const done =
      trouble === 'timeout'
        ? 'It may be done all the same; ask again, which does no harm.'
        : 'Ask again, which does no harm.';
    return new BrokerError('log-unavailable', `${detail} ${done}`, because);
  }
}
