import { afterEach, describe, expect, test } from 'vitest';
import { FairLoop } from '../../../src/core/fair-loop.ts';
import { Connections } from '../../../src/sse/connections.ts';

const open: Connections[] = [];
afterEach(() => {
  for (const connections of open.splice(0)) connections.close();
});

function connectionsWith(options: { retry?: number; maxAge?: number }): Connections {
  const connections = new Connections({
    loop: new FairLoop(),
    heartbeat: 15_000,
    stallTimeout: 30_000,
    retry: 2_000,
    maxAge: Infinity,
    maxConnections: Infinity,
    onClosed: () => undefined,
    ...options,
  });
  open.push(connections);
  return connections;
}

function draw(one: () => number): { least: number; most: number } {
  const drawn = Array.from({ length: 2_000 }, one);
  return { least: Math.min(...drawn), most: Math.max(...drawn) };
}

describe('what is jittered is spread over the whole of its range, and never beyond', () => {
  test.each([
    ['a retry', { retry: 2_000 }, 1_000, 3_000],
    ['the shortest retry, which clients must be able to take', { retry: 500 }, 500, 750],
    ['the longest retry, which clients must be able to take', { retry: 600_000 }, 300_000, 600_000],
  ])('%s', (_what, options, least, most) => {
    const connections = connectionsWith(options);
    const drawn = draw(() => connections.jitteredRetry());
    const slack = (most - least) / 10;
    expect(drawn.least).toBeGreaterThanOrEqual(least);
    expect(drawn.least).toBeLessThan(least + slack);
    expect(drawn.most).toBeLessThanOrEqual(most);
    expect(drawn.most).toBeGreaterThan(most - slack);
  });

  test('the retry of who is refused: 5 to 15 s', () => {
    const drawn = draw(() => connectionsWith({}).jitteredBackoff());
    expect(drawn.least).toBeGreaterThanOrEqual(5_000);
    expect(drawn.most).toBeLessThanOrEqual(15_000);
  });

  test('the age, by a fifth', () => {
    const connections = connectionsWith({ maxAge: 1_000 });
    const drawn = draw(() => connections.jitteredAge());
    expect(drawn.least).toBeGreaterThanOrEqual(800);
    expect(drawn.most).toBeLessThanOrEqual(1_200);
    expect(connectionsWith({}).jitteredAge()).toBe(Infinity);
  });
});

test('a drain without streams is over at once, and from then on new ones are refused', async () => {
  const connections = connectionsWith({});
  expect(connections.refusal).toBeUndefined();
  await connections.drain(3_600_000);
  expect(connections.refusal).toBe('draining');
});
