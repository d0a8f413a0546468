import type { RedisServerOptions } from './redis-server.ts';

/** The arguments of every Redis in the tests, local or in a container. */
export function redisArguments({ appendonly = false, args = [] }: RedisServerOptions): string[] {
  return [
    '--save',
    '',
    '--appendonly',
    appendonly ? 'yes' : 'no',
    // Redis writes to the file before it answers, and that survives kill -9. fsync would only add waiting.
    '--appendfsync',
    'no',
    ...args,
  ];
}
