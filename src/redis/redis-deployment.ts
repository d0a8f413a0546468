import type { LogHealth } from '../log/event-log.ts';
import type { LogMonitor } from './log-monitor.ts';
import type { PubSub } from './pub-sub.ts';
import type { RedisTls } from './redis-connections.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RedisScripts } from './redis-scripts.ts';

/** The connections to a Redis of one kind: one server at a time, or a cluster. All of them reconnect by themselves. */
export interface RedisDeployment {
  readonly scripts: RedisScripts;
  /** Runs reading scripts over connections of its own, so that publishes do not wait behind pages. */
  readonly reads: RedisScripts;
  readonly pubSub: PubSub;
  /** The command that publishes to `pubSub`. */
  readonly publish: 'PUBLISH' | 'SPUBLISH';
  readonly monitor: LogMonitor;
  /** One ZSCAN. Gives the next cursor, then members and scores in turn. */
  zscan(key: string, cursor: string): Promise<[string, string[]]>;
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

/** Members in one answer to ZSCAN, about. */
export const ZSCAN_COUNT = 1_000;
/** How long the keys that the probe writes outlive it, in ms. */
const PROBE_TTL_MS = 60_000;

/** Does what an append does, on the probe keys of the tag. Gives how many connections heard the announcement at `name`. */
export async function runProbe(
  { scripts, publish }: Pick<RedisDeployment, 'scripts' | 'publish'>,
  keys: RedisKeys,
  tag: string,
  name: string,
): Promise<number> {
  return (await scripts.run('probe', keys.probed(tag), [PROBE_TTL_MS, name, publish])) as number;
}
