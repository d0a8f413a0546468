import { afterEach, describe, expect, test } from 'vitest';
import type { Broker } from '../support/broker.ts';
import { openIdleSocket, readUntil } from '../support/idle-socket.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { Stage } from '../support/stage.ts';

const READERS = 2_000;
const EVENTS = 600;

let stage: Stage;
afterEach(() => stage.close());

/** How many times Redis has run a script, by Redis' own count. */
async function scriptsRun(): Promise<number> {
  const stats = await stage.redis.cli('info', 'commandstats');
  const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].map(([, count]) => Number(count));
  return calls.reduce((sum, count) => sum + count, 0);
}

async function subscriptionsMade(): Promise<number> {
  return Number(
    /cmdstat_subscribe:calls=(\d+)/.exec(await stage.redis.cli('info', 'commandstats'))?.[1] ?? 0,
  );
}

async function publishMany(broker: Broker, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await broker.publish('news', `${i} ${'x'.repeat(500)}`));
  return ids;
}

describe('two thousand subscribers that lose their replica', () => {
  test.each([
    { name: 'with the same position', position: (ids: string[]) => ids[100] },
    { name: 'each with a position of its own', position: (ids: string[], i: number) => ids[100 + (i % 300)] },
  ])(
    'come to another, $name: Redis is read a few times for all of them, and the replica stays healthy',
    async ({ position }) => {
      stage = await Stage.open();
      const [a, b] = [stage.broker(0), stage.broker(1)];
      const ids = await publishMany(a, EVENTS);
      await a.kill();
      const before = await scriptsRun();

      let alive = 0;
      const storm = new AbortController();
      const asking = (async () => {
        while (!storm.signal.aborted) if ((await fetch(`${b.url}/livez`)).status === 200) alive++;
      })();
      const texts = await Promise.all(
        Array.from({ length: READERS }, async (_, i) => {
          const socket = await openIdleSocket(b.port, `/events/news?last_event_id=${position(ids, i)}`);
          const text = await readUntil(socket, 'sluice:ready');
          return { text, from: position(ids, i) as string };
        }),
      );
      storm.abort();
      await asking;

      for (const { text, from } of texts) {
        const got = [...text.matchAll(/^id: (\d+-\d+)\ndata/gm)].map(([, id]) => id);
        expect(got).toEqual(ids.slice(ids.indexOf(from) + 1));
        expect(text).not.toContain('sluice:gap');
      }
      expect((await scriptsRun()) - before).toBeLessThan(READERS / 10);
      expect(alive).toBeGreaterThan(0);
    },
  );
});

test('a reader that returns again and again from the same position costs Redis next to nothing', async () => {
  stage = await Stage.open({ replicas: 1 });
  const broker = stage.broker(0);
  const ids = await publishMany(broker, 50);
  const before = await scriptsRun();
  for (let i = 0; i < 100; i++) {
    const socket = await openIdleSocket(broker.port, `/events/news?last_event_id=${ids[20]}`);
    expect(await readUntil(socket, 'sluice:ready')).toContain(`id: ${ids.at(-1)}\n`);
  }
  // The first read finds the channel's position, and one read in two seconds gets what the reader missed.
  expect((await scriptsRun()) - before).toBeLessThan(20);
  expect(await subscriptionsMade()).toBeLessThan(5);
  expect((await readMetrics(broker.url)).get('sluice_channels')).toBe(1);
});
