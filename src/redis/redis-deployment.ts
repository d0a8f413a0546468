import type { LogHealth } from '../log/event-log.ts';
import type { LogMonitor } from './log-monitor.ts';
import type { PubSub } from './pub-sub.ts';
import type { RedisTls } from './redis-connections.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisScripts } from './redis-scripts.ts';

/** The connections to one server at a time, or to a cluster. All connections reconnect by themselves. */
export interface RedisDeployment {
  readonly scripts: RedisScripts;
  /** Runs reading scripts over connections of its own, so that publishes do not wait behind pages. */
  readonly reads: RedisScripts;
  readonly pubSub: PubSub;
  /** The command that publishes to `pubSub`. */
  readonly publish: 'PUBLISH' | 'SPUBLISH';
  readonly monitor: LogMonitor;
  /** Calls ZSCAN once. Returns the next cursor, and members and scores alternately. */
  zscan(key: string, cursor: string): Promise<[string, string[]]>;
  /**
   * Calls SCAN once. The cursor is '0' for the first call, and the result has the cursor of the next one: '0' after the last.
   * @throws RangeError for a cursor of another form
   */
  scan(cursor: string, pattern: string, count: number): Promise<[cursor: string, keys: string[]]>;
  close(): void;
}

export interface RedisDeploymentOptions {
  readonly keys: RedisKeys;
  readonly tls: RedisTls;
  /** Replicas of Redis that must have confirmed an append before it is acknowledged. */
  readonly waitReplicas: number;
  readonly onHealth: (health: LogHealth) => void;
  readonly onEviction: (policy: string) => void;
}

const MAX_U64 = 2n ** 64n - 1n;

/** @throws RangeError for a text that is no cursor of SCAN: a number of 64 bits */
export function checkScanCursor(text: string): void {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > MAX_U64) throw new RangeError('no cursor of SCAN');
}

/** About how many members one answer to ZSCAN has. */
export const ZSCAN_COUNT = 1_000;
/** The keys of a probe expire after this time, in ms. */
const PROBE_TTL_MS = 60_000;

/** Runs probe.lua on the probe keys of the tag. Returns how many connections received the announcement on `name`. */
export async function runProbe(
  { scripts, publish }: Pick<RedisDeployment, 'scripts' | 'publish'>,
  keys: RedisKeys,
  tag: string,
  name: string,
): Promise<number> {
  return (await scripts.run('probe', keys.probed(tag), [PROBE_TTL_MS, name, publish])) as number;
}
