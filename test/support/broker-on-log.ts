import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { startBroker } from './broker.ts';
import type { Broker } from './broker.ts';
import { createAuthority } from './certificates.ts';
import type { Authority } from './certificates.ts';
import { startRedis } from './redis-server.ts';
import { trustAuthority } from './trust-authority.ts';

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

/** A broker that speaks TLS, with a connection of a client over HTTP/2. */
export interface TlsBrokerOnLog extends BrokerOnLog {
  readonly session: ClientHttp2Session;
}

/** One for all brokers of this process: `fetch` keeps the authorities that it knew at its first request. */
let authority: Authority | undefined;

function authorityOfTests(): Authority {
  if (authority === undefined) trustAuthority((authority = createAuthority()));
  return authority;
}

/** Starts a broker with TLS on the log. All clients of this process trust it, `fetch` included. */
export async function startTlsBrokerOn(
  log: (typeof LOGS)[number][0],
  env: Readonly<Record<string, string>> = {},
): Promise<TlsBrokerOnLog> {
  const { cert, key } = authorityOfTests().issue();
  const on = await startBrokerOn(log, { ...env, SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key });
  const session = connect(on.broker.url);
  return {
    broker: on.broker,
    session,
    async stop() {
      session.destroy();
      await on.stop();
    },
  };
}
