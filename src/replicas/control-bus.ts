import { Buffer } from 'node:buffer';
import type { ChannelName } from '../events/channel-name.ts';
import type { Revocation } from './revocation.ts';

/**
 * What replicas ask each other, and the revocations that they share. Its laws are the contract suite's, which every adapter
 * passes.
 */
export interface ControlBus {
  /** The name under which this replica answers; no other has it. */
  readonly replica: string;

  /** From now on this listener carries out commands. It takes the place of an earlier one. */
  listen(listener: ControlListener): void;

  /** From now on this function answers questions of this kind, except for {@link DISCONNECT}, which is a command. */
  answer(kind: string, answerer: Answerer): void;

  /**
   * Asks every replica, this one included, and gathers their answers for at most {@link ANSWER_TIME_MS}. A replica that does
   * not know the kind, fails, or has an answer of more than {@link MAX_ANSWER_BYTES} does not answer.
   * @param payload JSON of at most {@link MAX_QUESTION_BYTES}
   * @throws BrokerError `log-unavailable`, in under a second, when the replicas cannot be asked now
   * @throws RangeError when the payload is too large
   */
  ask(kind: string, payload: Json): Promise<Answers<Json>>;

  /**
   * Has every replica carry out the command, as {@link ask} does; each answers how many streams it has ended. A process that
   * asks nobody but itself takes the time that it needs. A revocation in the command is kept in the same step: a replica that hears of the revocation finds it kept.
   * @throws BrokerError, in under a second, `log-unavailable` when the replicas cannot be asked (they may have been asked
   *   all the same when only the confirmation was lost: asking again does no harm), `revocations-full` or `log-full` when
   *   there is no room for the revocation, and then no replica was asked
   */
  request(command: ControlCommand): Promise<Answers<number>>;

  /**
   * The revocations in force, in pages. A revocation that is kept meanwhile may be left out.
   * @throws BrokerError `log-unavailable`
   */
  revocations(): AsyncIterable<readonly Revocation[]>;

  /**
   * Keeps revocations that were lost, as with a Redis that comes back empty; asks no replica.
   * @throws BrokerError as {@link request} does
   */
  restore(revocations: readonly Revocation[]): Promise<void>;
}

/** How long replicas have for their answers, in ms. */
export const ANSWER_TIME_MS = 500;
/** The largest payload of a question, as JSON in UTF-8. */
export const MAX_QUESTION_BYTES = 16 * 1024;
/** The largest answer of one replica, as JSON in UTF-8. */
export const MAX_ANSWER_BYTES = 64 * 1024;

/** What JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The kind of a question that is a {@link ControlCommand}. */
export const DISCONNECT = 'disconnect';

/** Ends streams. At least one of subject and channel is given; where both are, both have to match. */
export interface ControlCommand {
  readonly kind: typeof DISCONNECT;
  readonly subject: string | undefined;
  readonly channel: ChannelName | undefined;
  readonly revocation: Revocation | undefined;
}

export interface ControlListener {
  /** Carries out a command; gives how many streams it has ended here. */
  onCommand(command: ControlCommand): Promise<number>;
  /** Commands and questions arrive from now on; earlier ones may have gone unheard. */
  onJoined(): void;
}

/** Answers a question, whose payload another release of the broker may have made. May fail. */
export type Answerer = (payload: Json) => Promise<Json>;

export interface Answers<T> {
  /** One for each replica that has answered in time. */
  readonly answers: readonly { readonly replica: string; readonly answer: T }[];
  /** How many of the replicas that were asked have not answered. */
  readonly missing: number;
  /**
   * Names of replicas that were heard of lately and have not answered. Empty when none is missing. May name a replica
   * that has stopped since, and lacks one that was never heard of.
   */
  readonly silent: readonly string[];
}

export interface ControlBusOptions {
  readonly replica: string;
  /** How long a revocation is kept, in ms. */
  readonly revocationTtl: number;
  /** How many revocations are kept at once; MAX_REVOCATIONS but in tests. */
  readonly maxRevocations?: number;
}

/**
 * The JSON text of a payload or an answer.
 * @throws RangeError when it has more than `limit` bytes
 */
export function boundedJson(value: Json, limit: number): string {
  const text = JSON.stringify(value);
  const size = Buffer.byteLength(text);
  if (size > limit) throw new RangeError(`has ${size} bytes as JSON, and may have ${limit}`);
  return text;
}
