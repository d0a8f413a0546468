import { defineConfig } from 'vitest/config';
import type { TestProjectConfiguration } from 'vitest/config';
import { CACHE } from './test/support/started-program.ts';

/** For the processes and threads of the tests. Programs that they start get it from their own support. */
process.env['NODE_COMPILE_CACHE'] ??= CACHE;

/** Tests wait for events and never for time to pass, so this limit of a single wait is only what a stuck test costs. */
const patience = 55_000;
/**
 * A test has many waits, and on a busy machine a browser needs a second for what takes 100 ms elsewhere. So this limit is far beyond
 * the slowest test: a wait that fails says what was awaited, this one does not.
 */
const limit = 240_000;

interface Wishes {
  /** Projects of one order share the machine; the next order begins when they are done. */
  readonly order: number;
  /** Test files at a time. A file brings its own Redis, broker and clients, and waits for them half of its time. */
  readonly workers?: number;
  /** Each file has a process of its own: for tests that measure what their process uses. */
  readonly isolate?: boolean;
  /** Runs once before the first worker starts, and only when a file of the project is to run. */
  readonly provision?: string | string[];
}

function project(
  name: string,
  { order, workers, isolate = false, provision }: Wishes,
): TestProjectConfiguration {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      pool: 'forks',
      // A file gets all modules of the project anew, but those of packages are there already: a third of the time of unit tests.
      isolate,
      ...(!isolate && { setupFiles: 'test/support/leave-no-trace.ts' }),
      ...(workers !== undefined && { maxWorkers: workers }),
      ...(provision !== undefined && { globalSetup: provision }),
      sequence: { groupOrder: order },
      testTimeout: limit,
      hookTimeout: limit,
      // The default is a second.
      expect: { poll: { timeout: patience, interval: 25 } },
      retry: 0,
    },
  };
}

const redis = 'test/support/provision-redis.ts';
const broker = 'test/support/provision-broker.ts';
const compiler = 'test/support/provision-compiler.ts';
const curl = 'test/support/provision-curl.ts';
const prometheus = 'test/support/provision-prometheus.ts';
const chromium = 'test/support/provision-chromium.ts';
const firefox = 'test/support/provision-firefox.ts';
const screenshots = 'test/support/provision-screenshots.ts';
const edges = 'test/support/provision-edges.ts';
const helm = 'test/support/provision-helm.ts';

export default defineConfig({
  test: {
    projects: [
      // Unit tests compute while the others wait.
      project('unit', { order: 1, workers: 4 }),
      project('cli', { order: 1, workers: 4, provision: broker }),
      project('chart', { order: 1, workers: 4, provision: helm }),
      project('contract', { order: 1, workers: 4, isolate: true, provision: redis }),
      project('integration', { order: 1, workers: 4, provision: [broker, redis, curl] }),
      // The client, with real brokers and with servers that fail.
      project('client', { order: 1, workers: 4, provision: [broker, redis] }),
      project('operations', { order: 1, workers: 4, provision: [broker, prometheus] }),
      // Few at a time: these measure how soon a fault is noticed and healed, and wait for most of their time.
      project('faults', { order: 2, workers: 3, provision: [broker, redis, compiler] }),
      // Counts, and not times; but a busy machine makes the waiting long.
      project('guard', { order: 3, workers: 2, isolate: true, provision: [broker, redis] }),
      project('browser', {
        order: 4,
        workers: 4,
        provision: [broker, redis, chromium, firefox, screenshots],
      }),
      // Packs the packages and installs them.
      project('package', { order: 4, workers: 4, provision: broker }),
      // Real proxies, with the configurations of deploy/.
      project('edges', { order: 4, workers: 4, provision: [broker, redis, chromium, edges] }),
    ],
  },
});
