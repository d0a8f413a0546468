import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { cpuOf, mainThreadCpuOf, residentKib } from '../support/process-usage.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { publishLoad } from './publish-load.ts';

/**
 * The log on disk beside the log in memory, with the same load in turns. It compares CPU, and not time: the disk of a
 * machine that tests run on may take any time for a sync.
 */

const PUBLISHERS = 64;
const PUBLISHES = 100;
const ROUNDS = 3;
const WARM_UP_ROUNDS = 2;
/** The ratio is 1.2 to 1.55. */
const MOST_MAIN = 1.8;
/** The ratio of all threads is 1.8 to 2.3. */
const MOST_ALL = 2.7;
/** How many events share a commit and its sync. It is about 30. */
const FEWEST_IN_COMMIT = 8;
/** In KiB. It is 13 to 15 MiB, and 22 to 25 when Node strips types in the thread. */
const MOST_MEMORY = 30 * 1024;

let folder: Awaited<ReturnType<typeof dataFolder>>;
let memory: Broker;
let disk: Broker;
beforeAll(async () => {
  folder = await dataFolder();
  // A small young generation: V8's growth of it is not measured here.
  const small = { NODE_OPTIONS: '--max-semi-space-size=1' };
  [memory, disk] = await Promise.all([
    startBroker(small),
    startBroker({ ...small, SLUICE_DATA_DIR: folder.path }),
  ]);
});
afterAll(async () => {
  await Promise.all([memory.kill(), disk.kill()]);
  await folder.remove();
});

/** CPU ticks of a broker. */
interface Usage {
  main: number;
  all: number;
}

async function round(broker: Broker, usage: Usage): Promise<void> {
  const [main, all] = await Promise.all([mainThreadCpuOf(broker.pid), cpuOf(broker.pid)]);
  await publishLoad(broker, PUBLISHERS, PUBLISHES);
  usage.main += (await mainThreadCpuOf(broker.pid)) - main;
  usage.all += (await cpuOf(broker.pid)) - all;
}

const linux = process.platform === 'linux';

test.runIf(linux)('the log on disk takes little more memory at rest', async () => {
  await Promise.all([memory.publish('news', 'first'), disk.publish('news', 'first')]);
  expect((await residentKib(disk.pid)) - (await residentKib(memory.pid))).toBeLessThan(MOST_MEMORY);
});

test.runIf(linux)('a publish to the log on disk costs a small multiple of one to memory', async () => {
  const ofMemory: Usage = { main: 0, all: 0 };
  const ofDisk: Usage = { main: 0, all: 0 };
  for (let i = 0; i < WARM_UP_ROUNDS; i++) {
    await round(memory, { main: 0, all: 0 });
    await round(disk, { main: 0, all: 0 });
  }
  for (let i = 0; i < ROUNDS; i++) {
    await round(memory, ofMemory);
    await round(disk, ofDisk);
  }
  expect(ofDisk.main / ofMemory.main).toBeLessThan(MOST_MAIN);
  expect(ofDisk.all / ofMemory.all).toBeLessThan(MOST_ALL);
  const metrics = await readMetrics(disk.url);
  const events = metrics.get('sluice_log_commit_events_sum') ?? 0;
  const commits = metrics.get('sluice_log_commit_events_count') ?? 0;
  expect(events / commits).toBeGreaterThan(FEWEST_IN_COMMIT);
});
