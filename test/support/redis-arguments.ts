import type { RedisServerOptions } from './redis-server.ts';

/** What every test Redis is started with, local or in a container. */
export function redisArguments({ appendonly = false, args = [] }: RedisServerOptions): string[] {
  return [
    '--save',
    '',
    '--appendonly',
    appendonly ? 'yes' : 'no',
    // Written before the answer goes out, which is what survives kill -9; fsync would only add waiting.
    '--appendfsync',
    'no',
    ...args,
  ];
}
