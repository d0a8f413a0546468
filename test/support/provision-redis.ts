import { getContainerRuntimeClient } from 'testcontainers';
import { aptInstall, canInstall } from './apt-install.ts';
import { REDIS_IMAGE, startContainerRedis } from './container-redis.ts';
import { findProgram } from './find-program.ts';

/** How long the image may take to arrive before a local Redis is tried. */
const PULL_TIMEOUT_MS = 180_000;

/**
 * Vitest's global set-up of the projects that need Redis: finds a way to start Redis, or installs it, and sets
 * TEST_REDIS, which `startRedis` reads. TEST_REDIS=container or TEST_REDIS=local skips the search.
 */
export async function setup(): Promise<void> {
  const decided = process.env['TEST_REDIS'];
  if (decided === 'container') return;
  if (decided !== 'local' && (await containersWork())) {
    process.env['TEST_REDIS'] = 'container';
    return;
  }
  await provideLocalRedis();
  process.env['TEST_REDIS'] = 'local';
}

async function containersWork(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
  } catch {
    return false;
  }
  try {
    await tryContainer();
  } catch (error) {
    console.log(
      `tests: Docker answers, but ${REDIS_IMAGE} does not start. The tests use redis-server instead: ${firstLine(error)}`,
    );
    return false;
  }
  return true;
}

async function tryContainer(): Promise<void> {
  try {
    await startAndStop();
  } catch {
    // Testcontainers cleans up with an image of its own. When only that image cannot be had, the tests go without it:
    // each test file removes the container that it started.
    process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
    await startAndStop();
  }
}

async function startAndStop(): Promise<void> {
  const redis = await Promise.race([startContainerRedis(), tooLong()]);
  await redis.stop();
}

async function tooLong(): Promise<never> {
  return await new Promise((_resolve, reject) => {
    setTimeout(
      () => reject(new Error(`not there after ${PULL_TIMEOUT_MS / 1000} s`)),
      PULL_TIMEOUT_MS,
    ).unref();
  });
}

async function provideLocalRedis(): Promise<void> {
  if (findProgram('redis-server') !== undefined) return;
  if (canInstall()) await aptInstall('redis-server', 'no Docker engine and no redis-server on the PATH');
  if (findProgram('redis-server') !== undefined) return;
  throw new Error(
    'These tests need Redis: start Docker, or install redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), then run npm test again.',
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1).join('');
}
