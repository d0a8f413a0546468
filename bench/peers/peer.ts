import type { Wire } from '../load/wire.ts';
import type { ServerProcess } from './server-process.ts';

/** Where events are kept: in the memory of the single process, on its disk, or in Redis with one or two brokers. */
export const LOG_KINDS = ['memory', 'disk', 'redis', 'redis2'] as const;
export type LogKind = (typeof LOG_KINDS)[number];

export function usesRedis(log: LogKind): boolean {
  return log === 'redis' || log === 'redis2';
}

/** Options for the start of a peer. */
export interface Ground {
  readonly log: LogKind;
  /** The port of this run's Redis. Undefined for logs that use none. */
  readonly redisPort: number | undefined;
  /** An empty folder, removed after the run. A log on disk is kept in it. */
  readonly folder: string;
  /** Whether subscribers are to resume, also where that costs the system speed. Off by default. */
  readonly resumable?: boolean;
  /** Whether streams are to be compressed for subscribers that accept it. By default as the system does by itself. */
  readonly compress?: boolean;
}

/** One system under load. */
export interface RunningPeer {
  /** The nodes, without Redis. The caller stops them. */
  readonly servers: readonly ServerProcess[];
  readonly wire: Wire;
  /** The positions after each event that the first server keeps of a channel, where events have no id that resumes. */
  readonly positions?: (channel: string) => Promise<readonly string[]>;
}

/** How to start one system and which requests it takes. */
export interface Peer {
  readonly name: string;
  readonly logs: readonly LogKind[];
  /** Whether a subscriber can resume, by `resume`. */
  readonly resumes: boolean;
  /** Whether one request can publish many events, by `publishMany`. */
  readonly batches: boolean;
  /** Whether one connection can have many channels, by `subscribeMany`. */
  readonly manyChannels: boolean;
  /** Whether it can compress streams. */
  readonly compresses: boolean;
  /** Returns why the system cannot run here and what to do about it, or undefined when it can run. */
  missing(): string | undefined;
  start(ground: Ground): Promise<RunningPeer>;
}
