import type { Wire } from '../load/wire.ts';

/** Where events are kept: in the one process, or in Redis with one or two brokers on it. */
export const LOG_KINDS = ['memory', 'redis', 'redis2'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

/** What a peer is started with. */
export interface Ground {
  readonly log: LogKind;
  /** Of the Redis that belongs to this run; undefined for `memory`. */
  readonly redisPort: number | undefined;
  /** Empty, and removed after the run. */
  readonly folder: string;
}

/** One system under load. */
export interface RunningPeer {
  readonly ports: readonly number[];
  /** Its processes, without Redis. */
  readonly pids: readonly number[];
  readonly wire: Wire;
  stop(): Promise<void>;
}

/** How one system is started and spoken to: the few lines in which it differs from the others. */
export interface Peer {
  readonly name: string;
  readonly logs: readonly LogKind[];
  /** Whether a subscriber can come back with the id that it saw last, by a header. */
  readonly resumes: boolean;
  /** Why it cannot run here, and what to do about it; undefined when it can. */
  missing(): string | undefined;
  start(ground: Ground): Promise<RunningPeer>;
}
