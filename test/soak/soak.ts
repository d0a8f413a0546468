import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { dataFolder } from '../support/broker.ts';
import { Disk } from '../support/disk.ts';
import { startRedis } from '../support/redis-server.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Stage } from '../support/stage.ts';
import { StateCast } from '../support/state-cast.ts';
import { AnswerRounds } from '../support/answer-rounds.ts';
import { ApplicationCast } from '../support/application-cast.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import { chooseFault } from './fault-schedule.ts';
import type { Scene } from './fault-schedule.ts';
import type { Verdict } from '../support/promise-checker.ts';

/**
 * Checks the promise for as long as you like: publishers and readers on three replicas, with one fault after the other,
 * chosen by the seed. Ends with a table. The exit code is 1 when the promise was broken.
 *
 * With --disk there is one broker, with its log on disk. It is killed and restarted, and the disk is slow, hangs, is full, fails,
 * and loses what was not synced.
 *
 * With --repeat, publishers send again what was not acknowledged, with the same idempotency keys, and some uploads are cut.
 * Then Redis is never flushed, because it would lose the keys.
 *
 * npm run soak -- --minutes 20 --seed 1 --repeat
 */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    repeat: { type: 'boolean', default: false },
    disk: { type: 'boolean', default: false },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
const retries = values.repeat;
const random = seededRandom(seed);
process.env['TEST_REDIS'] ??= 'local';

const REPLICAS = 3;
const ROVERS = 5;
const RATE = 100;
const ENV = { SLUICE_DRAIN_WINDOW: '1s', SLUICE_HISTORY_SIZE: '5000' };

/** The verdicts of several casts together. */
function sumOf(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((sum, one) => ({
    acknowledged: sum.acknowledged + one.acknowledged,
    delivered: sum.delivered + one.delivered,
    reconnects: sum.reconnects + one.reconnects,
    gaps: sum.gaps + one.gaps,
    breaches: [...sum.breaches, ...one.breaches],
  }));
}

function say(text: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function onRedis(): Promise<Pick<Scene, 'stage' | 'relays' | 'disk'>> {
  const redis = await startRedis({ appendonly: true });
  const relays = await Promise.all(Array.from({ length: REPLICAS }, () => startTcpRelay(redis.port)));
  const opened = await Stage.on(redis, { replicas: 0, env: ENV });
  for (const relay of relays) await opened.addReplica({ REDIS_URL: relay.url.replace('http:', 'redis:') });
  return { stage: opened, relays, disk: undefined };
}

async function onDisk(): Promise<Pick<Scene, 'stage' | 'relays' | 'disk'>> {
  const folder = await dataFolder();
  const under = await Disk.under(folder.path);
  return { stage: await Stage.onDisk(folder, { ...ENV, ...under.shim.env }), relays: [], disk: under };
}

const { stage, relays, disk } = values.disk ? await onDisk() : await onRedis();
const rovers = await stage.addReaders(ROVERS);
for (let i = 0; i < 2; i++) stage.publisher({ rate: RATE, retries });
const cast = new ApplicationCast(stage, { random, retries, pause: 400 });
await cast.begin();
const answers = new AnswerRounds(stage, { random, retries });
answers.start();
const states = new StateCast(stage, { random, pause: 20 });
states.start();
const scene: Scene = { stage, relays, disk, rovers, cast, random };

const struck = new Map<string, number>();
const end = Date.now() + minutes * 60_000;
say(
  `${minutes} minutes, seed ${seed}, ${stage.brokers.length} replicas, ${disk === undefined ? 'Redis' : 'disk'}, ${stage.readers.length} readers, 2 publishers of ${RATE} events a second`,
);
while (Date.now() < end) {
  await delay(1_000 + random() * 5_000);
  const fault = chooseFault(random, disk === undefined ? 'redis' : 'disk', retries ? ['Redis flushed'] : []);
  struck.set(fault.name, (struck.get(fault.name) ?? 0) + 1);
  say(fault.name);
  await fault.strike(scene);
}
say('the faults are over; waiting for every reader');
// The check computes for a while, and the relays of this process stand still meanwhile. So the answers end first.
const verdict = sumOf([
  await answers.finish(),
  await cast.finish(),
  await states.finish(),
  await stage.finish(),
]);
const refused = new Map<string, number>();
for (const { failures } of [...stage.publishers, cast.batches, cast.uploads]) {
  for (const [why, count] of failures) refused.set(why, (refused.get(why) ?? 0) + count);
}
await cast.close();
await stage.close();
await disk?.shim.remove();
await Promise.all(relays.map((relay) => relay.close()));

const missing = verdict.breaches.filter((breach) => breach.includes('is missing')).length;
const duplicates = verdict.breaches.filter((breach) => breach.includes('came twice')).length;
const disorder = verdict.breaches.filter((breach) => breach.includes('came after')).length;
const other = verdict.breaches.length - missing - duplicates - disorder;
const rows = {
  'events acknowledged': verdict.acknowledged,
  'publishes refused or unanswered': [...refused.values()].reduce((sum, count) => sum + count, 0),
  'events delivered': verdict.delivered,
  'batches and uploads': cast.batches.bodies + cast.uploads.bodies,
  'answers that ended': answers.rounds,
  reconnects: verdict.reconnects,
  gaps: verdict.gaps,
  missing,
  duplicates,
  disorder,
  'other breaches': other,
};
process.stdout.write(`\n| seed ${seed}, ${minutes} minutes | |\n| --- | ---: |\n`);
for (const [name, value] of Object.entries(rows))
  process.stdout.write(`| ${name} | ${value.toLocaleString('en')} |\n`);
process.stdout.write(`\nfaults: ${[...struck].map(([name, count]) => `${name} ${count}`).join(', ')}\n`);
for (const breach of verdict.breaches.slice(0, 20)) process.stdout.write(`${breach}\n`);
process.exit(verdict.breaches.length === 0 ? 0 : 1);
