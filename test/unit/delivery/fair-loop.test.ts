import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';

// Time passes only where a test spends it, so the machine's load changes nothing.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

/** Work that takes longer than one slice. */
function long(): number {
  spend(10);
  return 1;
}

function spend(ms: number): void {
  vi.advanceTimersByTime(ms);
}

test('work that many request at the same time is spread over turns of the event loop', async () => {
  const loop = new FairLoop();
  let turns = 0;
  let working = true;
  const count = (): void => {
    turns++;
    if (working) setImmediate(count);
  };
  count();
  const all = await Promise.all(Array.from({ length: 10 }, () => loop.inTurn(long)));
  working = false;
  expect(all).toEqual(Array(10).fill(1));
  expect(turns).toBeGreaterThanOrEqual(8);
});

test('an error in one piece of work rejects that piece alone', async () => {
  const loop = new FairLoop();
  const bad = loop.inTurn(() => {
    throw new RangeError('bad');
  });
  const good = loop.inTurn(() => 'good');
  await expect(bad).rejects.toThrow(RangeError);
  expect(await good).toBe('good');
});

test('openings run after the other tasks of a turn', async () => {
  const loop = new FairLoop();
  const ran: string[] = [];
  const task = (name: string) => ({
    run: () => {
      ran.push(name);
      return false;
    },
  });
  loop.addOpening(task('first opening'));
  loop.addOpening(task('second opening'));
  loop.add(task('delivery'));
  await expect.poll(() => ran).toEqual(['delivery', 'first opening', 'second opening']);
});

test('the first steps of a stream follow its opening, and what follows without end takes turns', async () => {
  const loop = new FairLoop();
  const ran: string[] = [];
  const endless = {
    run: () => {
      ran.push('step');
      if (ran.length < 100) loop.addStep(endless);
      return false;
    },
  };
  loop.addOpening({
    run: () => {
      ran.push('opening');
      loop.addStep(endless);
      return false;
    },
  });
  loop.addOpening({
    run: () => {
      ran.push('other opening');
      return false;
    },
  });
  await expect.poll(() => ran.length).toBeGreaterThanOrEqual(100);
  expect(ran.slice(0, 2)).toEqual(['opening', 'step']);
  expect(ran.indexOf('other opening')).toBeLessThan(10);
});

test('while a crowd arrives, openings take a small part of the time, and afterwards all of it', async () => {
  const loop = new FairLoop();
  let arrived = 0;
  let opened = 0;
  const opening = {
    run: () => {
      spend(0.3);
      opened++;
      return false;
    },
  };
  const openedMeanwhile = await new Promise<number>((resolve) => {
    const turn = (): void => {
      spend(0.5);
      for (let i = 0; i < 16; i++) loop.addOpening(opening);
      arrived += 16;
      if (arrived < 1_600) setImmediate(turn);
      else resolve(opened);
    };
    turn();
  });
  expect(openedMeanwhile).toBeGreaterThan(0);
  expect(openedMeanwhile).toBeLessThan(arrived / 4);
  await expect.poll(() => opened, { timeout: 5_000 }).toBe(arrived);
});
