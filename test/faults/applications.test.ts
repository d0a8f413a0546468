import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AnswerRounds } from '../support/answer-rounds.ts';
import { ApplicationCast } from '../support/application-cast.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { Stage } from '../support/stage.ts';
import { StateCast } from '../support/state-cast.ts';

/** How many bodies of 50 events are published before, and after, a fault. */
const SOME = 10;

let stage: Stage;
let cast: ApplicationCast;
beforeEach(async () => {
  stage = await Stage.open({ redis: { appendonly: true } });
});
afterEach(async () => {
  await cast.close();
  await stage.close();
});

async function begin(retries = true): Promise<void> {
  cast = new ApplicationCast(stage, { random: seededRandom(13), retries });
  await cast.begin();
}

async function some(): Promise<void> {
  await Promise.all([
    cast.batches.reached(cast.batches.bodies + SOME),
    cast.uploads.reached(cast.uploads.bodies + 2),
  ]);
}

describe('batches with keys, uploads that are cut and sent again, and readers of many channels', () => {
  test('Redis is killed and comes back: each event once', async () => {
    await begin();
    for (let i = 0; i < 3; i++) {
      await some();
      await stage.redis.kill();
      await stage.redis.restart();
    }
    await some();
    const verdict = await cast.finish();
    expect(verdict.breaches).toEqual([]);
  });

  test('announcements are killed again and again', async () => {
    await begin();
    for (let i = 0; i < 4; i++) {
      await some();
      await stage.redis.cli('client', 'kill', 'type', 'pubsub');
      cast.many[i % cast.many.length]?.cut();
    }
    await some();
    const verdict = await cast.finish();
    expect(verdict.breaches).toEqual([]);
  });

  test('a replica is killed, and comes back', async () => {
    await begin();
    await some();
    await stage.broker(1).kill();
    await some();
    await stage.revive(1);
    await some();
    const verdict = await cast.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.reconnects).toBeGreaterThan(0);
  });

  test('channels are deleted while they are published to and read', async () => {
    await begin();
    for (let i = 0; i < 30; i++) {
      await cast.batches.reached(cast.batches.bodies + 1);
      const channel = cast.channels[i % cast.channels.length] as string;
      expect(await cast.delete(channel, i % 2)).toBe(204);
      if (i % 5 === 0) cast.many[0]?.cut();
    }
    await some();
    const verdict = await cast.finish();
    expect(verdict.breaches).toEqual([]);
  });
});

test('answers end on every replica, while announcements are killed: every reader gets all lines and the end, and stops', async () => {
  await begin();
  const answers = new AnswerRounds(stage, { random: seededRandom(7) });
  answers.start();
  for (let i = 1; i <= 4; i++) {
    await answers.reached(i);
    await stage.redis.cli('client', 'kill', 'type', 'pubsub');
  }
  const verdict = await answers.finish();
  expect(verdict.breaches).toEqual([]);
});

test('keys change and are deleted, while Redis, a replica and announcements are killed: every reader has the state of the log', async () => {
  await begin();
  const states = new StateCast(stage, { random: seededRandom(14) });
  states.start();
  for (let i = 0; i < 2; i++) {
    await states.changed(60);
    await stage.redis.cli('client', 'kill', 'type', 'pubsub');
    await states.changed(60);
    states.cut();
    await stage.redis.kill();
    await stage.redis.restart();
    await states.changed(60);
    await stage.broker(1).kill();
    await states.changed(30);
    await stage.revive(1);
  }
  const verdict = await states.finish();
  expect(verdict.breaches).toEqual([]);
  expect(verdict.reconnects).toBeGreaterThan(0);
});
