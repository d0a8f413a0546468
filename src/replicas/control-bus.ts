import { Buffer } from 'node:buffer';
import type { ChannelName } from '../events/channel-name.ts';
import type { Revocation } from './revocation.ts';

/**
 * Questions between replicas, and the revocations that the replicas share. Every implementation passes the contract suite,
 * test/contract/control-bus-contract.ts.
 */
export interface ControlBus {
  /** The name under which this replica answers. Each replica has another name. */
  readonly replica: string;

  /** Sets the listener that carries out commands. Replaces an earlier listener. */
  listen(listener: ControlListener): void;

  /** Sets the function that answers questions of this kind. The kind {@link DISCONNECT} is a command and has no such function. */
  answer(kind: string, answerer: Answerer): void;

  /**
   * Asks every replica, this one included, and collects the answers that arrive within {@link ANSWER_TIME_MS}. A replica does
   * not answer when it does not know the kind, when it fails, or when its answer has more than {@link MAX_ANSWER_BYTES}.
   * @param payload JSON of at most {@link MAX_QUESTION_BYTES}
   * @param enough does not wait for more answers than this many
   * @throws BrokerError `log-unavailable`, in under a second, when the replicas cannot be asked now
   * @throws RangeError when the payload is too large
   */
  ask(kind: string, payload: Json, enough?: number): Promise<Answers<Json>>;

  /**
   * Sends the command to every replica, as {@link ask} does. Each replica carries out the command and answers how many streams
   * it ended. A revocation in the command is stored in the same step as the command is sent, so a replica that receives the
   * revocation also finds it in the shared list.
   * @throws BrokerError in under a second: `log-unavailable` when the replicas cannot be asked (if only the confirmation was
   *   lost, the replicas may have received the command; a second request does no harm); `revocations-full` or `log-full` when
   *   there is no room for the revocation, and then no replica received the command
   */
  request(command: ControlCommand): Promise<Answers<number>>;

  /**
   * The revocations in force, in pages. A revocation that is stored during the call may be missing.
   * @throws BrokerError `log-unavailable`
   */
  revocations(): AsyncIterable<readonly Revocation[]>;

  /**
   * Stores revocations that the shared list has lost, for example in a Redis that restarted empty. Asks no replica.
   * @throws BrokerError as {@link request} does
   */
  restore(revocations: readonly Revocation[]): Promise<void>;
}

/** How long a question waits for answers, in ms. */
export const ANSWER_TIME_MS = 500;
/** The largest payload of a question, as JSON in UTF-8. */
export const MAX_QUESTION_BYTES = 16 * 1024;
/** The largest answer of one replica, as JSON in UTF-8. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** What JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The kind of a question that is a {@link ControlCommand}. */
export const DISCONNECT = 'disconnect';

/** Ends streams. At least one of subject and channel is set. When both are set, a stream must match both. */
export interface ControlCommand {
  readonly kind: typeof DISCONNECT;
  readonly subject: string | undefined;
  readonly channel: ChannelName | undefined;
  readonly revocation: Revocation | undefined;
}

export interface ControlListener {
  /** Carries out a command. Returns how many streams of this replica it ended. */
  onCommand(command: ControlCommand): Promise<number>;
  /** Called when commands and questions begin to arrive. Earlier ones may have been lost. */
  onJoined(): void;
}

/** Answers a question. Another release of the broker may have made the payload. The promise may reject. */
export type Answerer = (payload: Json) => Promise<Json>;

export interface Answers<T> {
  /** One for each replica that answered in time. */
  readonly answers: readonly { readonly replica: string; readonly answer: T }[];
  /** How many of the asked replicas did not answer. */
  readonly missing: number;
  /**
   * Names of replicas that sent a message in the last minutes and did not answer. Empty when no answer is missing. May
   * include a replica that has stopped, and does not include a replica that has never sent a message.
   */
  readonly silent: readonly string[];
}

export interface ControlBusOptions {
  readonly replica: string;
  /** How long a revocation is kept, in ms. */
  readonly revocationTtl: number;
  /** The largest number of revocations to keep. Default: MAX_REVOCATIONS. Only tests set it. */
  readonly maxRevocations?: number;
}

/**
 * Returns a payload or an answer as JSON text.
 * @throws RangeError when the text has more than `limit` bytes
 */
export function boundedJson(value: Json, limit: number): string {
  const text = JSON.stringify(value);
  const size = Buffer.byteLength(text);
  if (size > limit) throw new RangeError(`${size} bytes as JSON; the limit is ${limit}`);
  return text;
}
