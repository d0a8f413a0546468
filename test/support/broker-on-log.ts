import { startBroker } from './broker.ts';
import type { Broker } from './broker.ts';
import { startRedis } from './redis-server.ts';

/** For `describe.each`: the logs that a test of one replica runs on. */
export const LOGS = [['the embedded log'], ['Redis']] as const;

export interface BrokerOnLog {
  readonly broker: Broker;
  /** Kills the broker, and stops its Redis. */
  stop(): Promise<void>;
}

/** Starts a broker on the log, and its Redis if it needs one. Resolves when the broker can publish. */
export async function startBrokerOn(
  log: (typeof LOGS)[number][0],
  env: Readonly<Record<string, string>> = {},
): Promise<BrokerOnLog> {
  const redis = log === 'Redis' ? await startRedis() : undefined;
  const broker = await startBroker({ ...env, ...(redis !== undefined && { REDIS_URL: redis.url }) });
  if (redis !== undefined) await broker.logged('redis: up');
  return {
    broker,
    async stop() {
      await broker.kill();
      await redis?.stop();
    },
  };
}
