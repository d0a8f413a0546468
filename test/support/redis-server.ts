import type { Authority } from './certificates.ts';
import { startContainerRedis } from './container-redis.ts';
import { startLocalRedis } from './local-redis.ts';

/** A real Redis that belongs to one test file. */
export interface RedisServer {
  /** `redis://host:port`; stays the same through `restart`. */
  readonly url: string;
  readonly port: number;
  /** `rediss://host:port`, when it was started with `tls`. */
  readonly tlsUrl: string;
  /** Ends it for good and removes its data, whatever state it is in. */
  stop(): Promise<void>;
  /** Freezes it as a hung machine would: connections stay open and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** kill -9: connections are reset, and new ones refused, until `restart`. */
  kill(): Promise<void>;
  /** Starts it again, shutting it down first if it runs: same port, same data folder. With `appendonly` it keeps its data. */
  restart(): Promise<void>;
  /** Runs one command over a connection of its own; the answer as redis-cli prints it to a pipe. */
  cli(...args: string[]): Promise<string>;
}

export interface RedisServerOptions {
  /** Keep every write on disk; off by default, when a restarted Redis is empty. */
  readonly appendonly?: boolean;
  /** More arguments for redis-server, such as `['--maxmemory', '8mb']`. */
  readonly args?: readonly string[];
  /** A free one by default. */
  readonly port?: number;
  /** Besides the plain port, one with TLS. */
  readonly tls?: RedisTlsOptions;
}

export interface RedisTlsOptions {
  readonly port: number;
  /** Has signed its certificate, and has to have signed that of whoever connects. */
  readonly authority: Authority;
  /** What its certificate is for; the host of its URL by default. */
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
