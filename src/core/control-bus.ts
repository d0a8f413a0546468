import type { ChannelName } from './channel-name.ts';
import type { Revocation } from './revocation.ts';

/**
 * What the replicas tell each other, and the revocations that they share. Its laws are the contract suite's, which
 * every adapter passes.
 */
export interface ControlBus {
  /** The name under which this replica answers; no other has it. */
  readonly replica: string;

  /** From now on commands are carried out by this listener, and no more by one before it. */
  listen(listener: ControlListener): void;

  /**
   * Has every replica carry out the command, this one included, and gathers their answers for at most half a second. A
   * revocation in it is kept in the same step: who hears of it finds it kept.
   * @throws BrokerError, in under a second, `log-unavailable` when the replicas cannot be told (they may have been told
   *   all the same, when only the answer to that was lost: asking again does no harm), `revocations-full` or `log-full`
   *   when there is no room for the revocation, and then nobody was told
   */
  request(command: ControlCommand): Promise<Answers>;

  /**
   * The revocations in force, in pages. One that is kept while this goes on may be left out.
   * @throws BrokerError `log-unavailable`
   */
  revocations(): AsyncIterable<readonly Revocation[]>;

  /**
   * Keeps revocations that were lost, as with a Redis that comes back empty; tells nobody.
   * @throws BrokerError as {@link request} does
   */
  restore(revocations: readonly Revocation[]): Promise<void>;
}

/** Ends streams. At least one of subject and channel is given; where both are, both have to match. */
export interface ControlCommand {
  readonly kind: 'disconnect';
  readonly subject: string | undefined;
  readonly channel: ChannelName | undefined;
  readonly revocation: Revocation | undefined;
}

export interface ControlListener {
  /** Carries out a command; gives how many streams it has ended here. Must not reject. */
  onCommand(command: ControlCommand): Promise<number>;
  /** Commands arrive from now on; what was said before may have gone unheard. */
  onJoined(): void;
}

interface Answer {
  readonly replica: string;
  readonly closed: number;
}

export interface Answers {
  readonly answers: readonly Answer[];
  /** Whether every replica that was told has answered. */
  readonly complete: boolean;
}

export interface ControlBusOptions {
  readonly replica: string;
  /** How long a revocation is kept, in ms. */
  readonly revocationTtl: number;
  /** How many are kept at once; MAX_REVOCATIONS but in tests. */
  readonly maxRevocations?: number;
}
