import { afterEach, beforeEach, expect, test } from 'vitest';
import { ModelAnswers } from '../support/model-answers.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Stage } from '../support/stage.ts';

/**
 * ANSWERS=200 PARTS=1500 runs 200 answers of 1,500 parts each, 10,000 parts a second together, and prints what the run cost.
 */
const ANSWERS = Number(process.env['ANSWERS'] ?? 20);
const PARTS = Number(process.env['PARTS'] ?? 150);
/** Parts a second of one answer. */
const RATE = 50;
const CHATS = Number(process.env['CHATS'] ?? 20);

let stage: Stage;
let cast: ModelAnswers;
beforeEach(async () => {
  stage = await Stage.open({ redis: { appendonly: true } });
});
afterEach(async () => {
  cast.close();
  await stage.close();
});

/** The smallest of the values that at least this share of them does not exceed. */
function quantile(values: readonly number[], share: number): number {
  return Math.round(values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN);
}

/** CPU seconds of the replicas and of Redis so far. */
async function cpuSeconds(): Promise<{
  readonly at: number;
  readonly replicas: number[];
  readonly redis: number;
}> {
  const replicas = await Promise.all(
    stage.urls.map(async (url) => (await readMetrics(url)).get('process_cpu_seconds_total') ?? Number.NaN),
  );
  const info = await stage.redis.cli('info', 'cpu');
  const [user = 0, system = 0] = ['user', 'sys'].map((kind) =>
    Number(info.match(`used_cpu_${kind}:(\\S+)`)?.[1]),
  );
  return { at: performance.now(), replicas, redis: user + system };
}

test(
  'answers survive cut readers, a killed replica and a restarted Redis: each reader has every byte and stops by itself',
  async () => {
    cast = new ModelAnswers(stage, {
      answers: ANSWERS,
      stopped: ANSWERS / 2,
      parts: PARTS,
      rate: RATE,
      chats: CHATS,
      random: seededRandom(5),
    });
    await cast.reached(0.2);
    await stage.broker(1).kill();
    await stage.revive(1);
    await cast.reached(0.4);
    await stage.redis.kill();
    await stage.redis.restart();
    await cast.reached(0.5);
    const before = await cpuSeconds();
    await cast.reached(0.8);
    const after = await cpuSeconds();
    const stops = await cast.stop();
    expect(await cast.finish()).toEqual([]);
    // A slow machine may be late once.
    expect(quantile(stops, 0.5)).toBeLessThan(200);
    if (process.env['ANSWERS'] === undefined) return;
    const seconds = (after.at - before.at) / 1_000;
    const lateness = cast.readers.flatMap((reader) => reader.lateness);
    console.log({
      parts: lateness.length,
      uploadsSentAgain: cast.answers.reduce((sum, { attempts }) => sum + attempts, 0),
      reconnects: cast.readers.reduce((sum, { connections }) => sum + connections - 1, 0),
      stopMs: { p50: quantile(stops, 0.5), p99: quantile(stops, 0.99), max: quantile(stops, 1) },
      latenessMs: { p50: quantile(lateness, 0.5), p99: quantile(lateness, 0.99) },
      coresOfReplicas: after.replicas.map((cpu, i) => (cpu - (before.replicas[i] ?? 0)) / seconds),
      coresOfRedis: (after.redis - before.redis) / seconds,
    });
  },
  60_000 + (PARTS / RATE) * 4_000,
);
