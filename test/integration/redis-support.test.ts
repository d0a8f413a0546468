import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

describe('the Redis that tests start', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis({ appendonly: true });
  });
  afterAll(async () => {
    await redis.stop();
  });

  test('answers commands, and returns errors', async () => {
    expect(redis.url).toMatch(new RegExp(`^redis://[^/]+:${redis.port}$`));
    expect(await redis.cli('PING')).toBe('PONG');
    expect(await redis.cli('GET', 'nobody')).toBe('');
    await redis.cli('RPUSH', 'list', 'één', 'two\r\nlines');
    expect(await redis.cli('LRANGE', 'list', '0', '-1')).toBe('één\ntwo\r\nlines');
    await expect(redis.cli('INCR', 'list')).rejects.toThrow('WRONGTYPE');
  });

  test('is silent while paused, and then answers the waiting commands', async () => {
    await redis.pause();
    let answered = false;
    const answer = redis.cli('ECHO', 'late').then((text) => {
      answered = true;
      return text;
    });
    // The kernel accepts the connection, so a frozen server is hard to notice.
    const socket = connect(redis.port, new URL(redis.url).hostname);
    await new Promise((resolve) => {
      socket.once('connect', resolve);
    });
    socket.destroy();
    expect(answered).toBe(false);
    await redis.resume();
    expect(await answer).toBe('late');
  });

  test('keeps its data and its port through kill -9 and restart', async () => {
    await redis.cli('SET', 'key', 'kept');
    await redis.kill();
    await expect(redis.cli('PING')).rejects.toThrow();
    await redis.restart();
    expect(await redis.cli('GET', 'key')).toBe('kept');
  });

  test('restarts while it runs, and while it is paused', async () => {
    await redis.cli('SET', 'key', 'still kept');
    await redis.restart();
    expect(await redis.cli('GET', 'key')).toBe('still kept');
    await redis.pause();
    await redis.restart();
    expect(await redis.cli('GET', 'key')).toBe('still kept');
  });

  test('is empty after a restart without appendonly, and takes arguments', async () => {
    const other = await startRedis({ args: ['--maxmemory', '8mb'] });
    try {
      expect(other.port).not.toBe(redis.port);
      expect(await other.cli('CONFIG', 'GET', 'maxmemory')).toBe('maxmemory\n8388608');
      await other.cli('SET', 'key', 'lost');
      await other.restart();
      expect(await other.cli('EXISTS', 'key')).toBe('0');
    } finally {
      await other.stop();
    }
  });

  test('leaves nothing listening once stopped', async () => {
    const other = await startRedis();
    await other.pause();
    await other.stop();
    await expect(other.cli('PING')).rejects.toThrow();
  });
});
