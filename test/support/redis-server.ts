import type { Authority } from './certificates.ts';
import { startContainerRedis } from './container-redis.ts';
import { startLocalRedis } from './local-redis.ts';

/** A real Redis for one test file. */
export interface RedisServer {
  /** `redis://host:port`; `restart` does not change it. */
  readonly url: string;
  readonly port: number;
  /** `rediss://host:port`, when the server was started with `tls`. */
  readonly tlsUrl: string;
  /** Ends the server in any state, and removes its data. */
  stop(): Promise<void>;
  /** Freezes the server like a hung machine: connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Kills the server with SIGKILL: connections are reset, and new ones are refused until `restart`. */
  kill(): Promise<void>;
  /**
   * Starts the server again with the same port and folder; shuts it down first if it runs. With `appendonly` it keeps
   * its data.
   */
  restart(): Promise<void>;
  /** Runs one command on a new connection; returns the answer as redis-cli prints it to a pipe. */
  cli(...args: string[]): Promise<string>;
}

export interface RedisServerOptions {
  /** Keeps every write on disk. Off by default: a restarted Redis is then empty. */
  readonly appendonly?: boolean;
  /** Additional arguments of redis-server, such as `['--maxmemory', '8mb']`. */
  readonly args?: readonly string[];
  /** The port; by default a free one. */
  readonly port?: number;
  /** Adds a port with TLS. */
  readonly tls?: RedisTlsOptions;
}

export interface RedisTlsOptions {
  readonly port: number;
  /** Signs the server's certificate. Clients need a certificate that it has signed, too. */
  readonly authority: Authority;
  /** The names in the server's certificate; by default the host of its URL. */
  readonly names?: readonly string[];
}

/** Starts a fresh Redis and resolves once it answers. Stop it in `afterAll`. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  switch (process.env['TEST_REDIS']) {
    case 'container':
      return await startContainerRedis(options);
    case 'local':
      return await startLocalRedis(options);
    default:
      throw new Error(
        'TEST_REDIS is not set: a test that needs Redis belongs in contract, integration or faults.',
      );
  }
}
